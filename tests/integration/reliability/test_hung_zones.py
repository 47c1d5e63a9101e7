"""Zones that hang do so alone: calls about others are as fast as without them, and they themselves are named.

The hung ones: a frozen cgroup, a process that a FUSE file system never answers, a flood of log lines, an endless
exec, a client that does not read. The file system is mounted before the daemon starts, which sees it whatever the
mount propagation of the host is.
"""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.reliability.client import Local
from tests.integration.reliability.figures import Figure
from tests.integration.reliability.fuse import OneFile, one_file
from tests.integration.rig import Daemon
from zonehost.linux.cgroup import discover

pytestmark = pytest.mark.row(7)
SLOWER = 0.5
"""Seconds that a call may take longer beside hung zones; what they burn of the processors is in it."""


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[OneFile]:
    with one_file(tmp_path / "silent", 1 << 16) as served:
        yield served


def seconds(client: Local, method: str, path: str, body: object = None) -> float:
    answer = client.call(method, path, body)
    assert answer.status < 300, answer
    return answer.ended - answer.began


def measured(daemon: Daemon, times: int) -> dict[str, float]:
    """The 99th percentile of each call about a zone that does not hang, in seconds."""
    client = Local(daemon)
    found: dict[str, list[float]] = {"list": [], "inspect": [], "create": [], "start": [], "stop": [], "rm": []}
    for _ in range(times):
        found["list"].append(seconds(client, "GET", "/containers/json?all=1"))
        found["inspect"].append(seconds(client, "GET", "/containers/sound/json"))
    for _ in range(max(5, times // 20)):
        made = {"Image": "busybox", "Cmd": ["sleep", "3600"]}
        found["create"].append(seconds(client, "POST", "/containers/create?name=brief", made))
        found["start"].append(seconds(client, "POST", "/containers/brief/start"))
        found["stop"].append(seconds(client, "POST", "/containers/brief/stop?t=0"))
        found["rm"].append(seconds(client, "DELETE", "/containers/brief"))
    client.close()
    return {name: sorted(values)[math.ceil(len(values) * 0.99) - 1] for name, values in found.items()}


def hang(daemon: Daemon, silent: OneFile, undo: ExitStack) -> None:
    """Make one zone of each kind that hangs."""
    daemon.docker("run", "-d", "--name", "frozen", "busybox", "sleep", "3600")
    zone = daemon.docker("inspect", "-f", "{{.Id}}", "frozen")
    freezer = Path(discover().unified, "zonehost", daemon.instance.name, zone, "zone", "cgroup.freeze")
    freezer.write_text("1")  # by somebody else: the daemon does not know
    wait_on_fuse(daemon, silent)
    daemon.docker("run", "-d", "--name", "flood", "--cpus", "0.2", "busybox", "yes")
    daemon.docker("run", "-d", "--name", "execs", "busybox", "sleep", "3600")
    daemon.docker("exec", "-d", "execs", "sleep", "3600")
    for words in (("exec", "execs", "yes"), ("logs", "-f", "flood"), ("attach", "flood"), ("events",)):
        deaf = subprocess.Popen(
            ["docker", *words], env=daemon.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        undo.callback(deaf.wait)
        undo.callback(deaf.kill)


def wait_on_fuse(daemon: Daemon, silent: OneFile) -> None:
    silent.hangs = True
    source = f"type=bind,source={silent.place},target=/silent"
    daemon.docker("run", "-d", "--name", "waits", "--mount", source, "busybox", "cat", "/silent/file")
    assert silent.held.wait(20)


def test_calls_about_other_zones_are_as_fast_as_without(
    silent: OneFile, own: Daemon, undo: ExitStack, rounds: Callable[[int, int], int], figure: Figure
) -> None:
    own.docker("run", "-d", "--name", "sound", "busybox", "sleep", "3600")
    times = rounds(100, 1000)
    without = measured(own, times)
    hang(own, silent, undo)
    beside = measured(own, times)
    for name in without:
        figure(f"p99 of {name} in ms, against without", f"{beside[name] * 1000:.0f} : {without[name] * 1000:.0f}")
    silent.die()
    assert {name for name in without if beside[name] > without[name] * 3 + SLOWER} == set()


def test_a_start_in_a_frozen_group_holds_no_other_up(own: Daemon) -> None:
    parent = Path(discover().unified, own.instance.name)
    parent.mkdir()
    (parent / "cgroup.freeze").write_text("1")
    own.docker("create", "--name", "cold", "--cgroup-parent", parent.name, "busybox", "true")
    starting = subprocess.Popen(["docker", "start", "-a", "cold"], env=own.environment)
    try:
        for _ in range(5):
            assert own.docker("run", "--rm", "busybox", "echo", "works", timeout=20) == "works"
        assert starting.poll() is None
    finally:
        (parent / "cgroup.freeze").write_text("0")
        assert starting.wait(20) == 0
        own.docker("rm", "cold")
        parent.rmdir()


def test_what_cannot_be_killed_is_blocked_and_goes_when_it_can(silent: OneFile, own: Daemon, figure: Figure) -> None:
    wait_on_fuse(own, silent)
    began = time.monotonic()
    refused = own.run("rm", "-f", "waits")
    figure("seconds until a blocked removal is reported", round(time.monotonic() - began, 1))
    assert refused.status == 1
    assert "in state" in refused.err
    assert "request_wait_answer" in refused.err
    assert own.docker("ps", "-a", "--format", "{{.Names}} {{.State}}") == "waits dead"
    [finding] = [found for found in own.doctor() if found["kind"] == "blocked"]
    assert "request_wait_answer" in finding["detail"]
    assert own.docker("run", "--rm", "busybox", "echo", "works") == "works"
    silent.die()
    own.docker("rm", "-f", "waits")
    assert own.doctor() == []


def test_a_blocked_zone_is_known_again_after_a_restart(silent: OneFile, own: Daemon) -> None:
    wait_on_fuse(own, silent)
    refused = own.run("stop", "-t", "0", "waits")
    assert refused.status == 1
    assert "request_wait_answer" in refused.err
    own.kill()
    own.start()
    [finding] = [found for found in own.doctor() if found["kind"] == "blocked"]
    assert "request_wait_answer" in finding["detail"]
    silent.die()
    assert own.docker("wait", "waits") == "137"
    assert own.doctor() == []
    own.docker("rm", "-f", "waits")
    assert own.doctor() == []
