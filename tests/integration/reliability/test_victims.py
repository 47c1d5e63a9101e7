"""SIGKILL of the launcher, and of every keeper, at every named point between two steps; the daemon goes on.

The daemon stops at the point, the victims are killed, and it is let go again: what it was about to do succeeds or
fails, but ends; nothing is left of it; and the next command works.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.inventory import datasets
from tests.integration.reliability import work
from tests.integration.reliability.figures import Figure
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(1)
LAUNCHER = "zonehost-fork"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All points in `make reliability`; in `make test`, those of a start."""
    every = metafunc.config.getoption("--long")
    named = work.points(every=True)
    metafunc.parametrize("point", named if every else [name for name in named if work.kind(name) == "start"])
    metafunc.parametrize("victim", ("launcher", "keeper"))


class Work(threading.Thread):
    """Starts the daemon with the point armed and does what comes by it; stops a daemon that passed it by."""

    def __init__(self, daemon: Daemon, point: str, archives: Path) -> None:
        super().__init__(name=point)
        self._daemon, self._point, self._archives = daemon, point, archives
        self.passed_by = False
        self.spawned = threading.Event()
        self.hit = threading.Event()

    def run(self) -> None:
        self._daemon.start(self.spawned)
        for words in work.commands(self._point, self._archives):
            self._daemon.run(*words)
        if not self.hit.wait(work.MOMENT):
            self.passed_by = True
            assert self._daemon.process is not None
            self._daemon.process.send_signal(signal.SIGSTOP)


def processes(daemon: Daemon, victim: str, server: int) -> Iterator[int]:
    """The launcher that is the daemon's own; or all keepers, also those that are about to become one."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name = (entry / "comm").read_text().strip()
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            inside = f"/zonehost/{daemon.instance.name}/" in (entry / "cgroup").read_text()
        except OSError:
            continue
        is_keeper = inside and name in ("conmon", LAUNCHER)
        is_launcher = not inside and name == LAUNCHER and parent == server
        if is_keeper if victim == "keeper" else is_launcher:
            yield int(entry.name)


def test_what_is_under_way_ends_and_nothing_is_left(
    swept: Daemon, archives: Path, point: str, victim: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    for words in work.PREPARED:
        swept.docker(*words)
    process = swept.docker("inspect", "-f", "{{.State.Pid}}", "up")
    swept.stop()
    monkeypatch.setenv(work.VARIABLE, f"{point}=STOP")
    doing = Work(swept, point, archives)
    doing.start()
    doing.spawned.wait()
    stopped = os.waitid(os.P_ALL, 0, os.WSTOPPED)
    assert stopped is not None
    doing.hit.set()
    monkeypatch.delenv(work.VARIABLE)
    killed = list(processes(swept, victim, stopped.si_pid))
    for pid in killed:
        with suppress(ProcessLookupError):  # a keeper's own helper may have ended meanwhile
            os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    os.kill(stopped.si_pid, signal.SIGCONT)
    doing.join()
    figure(f"most seconds to an answer without {victim}", round(time.monotonic() - began, 2))
    assert not doing.passed_by, f"nothing came by {point}"
    assert killed
    assert swept.docker("run", "--rm", "busybox", "echo", "works") == "works"
    if victim == "launcher" and work.kind(point) != "stop":
        assert swept.docker("inspect", "-f", "{{.State.Pid}}", "up") == process
        assert swept.docker("exec", "up", "echo", "alive") == "alive"
    elif victim == "keeper" and work.kind(point) != "stop":
        assert swept.docker("wait", "up") == "137"
    states = dict(line.split() for line in swept.docker("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines())
    assert states.keys() <= {"up", "new"}
    assert states.get("new", "created") in ("created", "running", "exited")
    assert swept.doctor() == []
    swept.remove_zones()
    assert datasets(swept.instance) == []
    figure("kills of launcher and keeper", 1, fold="sum")
