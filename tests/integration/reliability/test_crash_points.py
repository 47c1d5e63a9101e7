"""SIGKILL of the daemon at every named point between two steps; the next start converges by itself.

The points are read from the sources, so that none is forgotten: one that no work reaches fails the test.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.inventory import datasets
from tests.integration.rig import Daemon, daemon_with_busybox

SOURCES = Path(__file__).parents[3] / "src" / "zonehost"
VARIABLE = "ZONEHOST_FAILPOINT"
MOMENT = 10.0
"""Seconds after which a daemon that was not killed has passed the point by."""

PREPARED = (
    ("network", "create", "net"),
    ("volume", "create", "old"),
    ("run", "-d", "--name", "up", "-v", "old:/old", "busybox", "sleep", "3600"),
)
"""What is there before the daemon that dies begins, and must be there afterwards."""

WORK = {
    "create": (("create", "--name", "new", "-v", "made:/etc", "-v", "/anonymous", "busybox", "true"),),
    "start": (("run", "-d", "--name", "new", "-p", "80", "busybox", "sleep", "3600"),),
    "exec": (("exec", "up", "true"),),
    "exit": (("run", "--rm", "--name", "new", "busybox", "sh", "-c", "exit 3"),),
    "stop": (("stop", "-t", "0", "up"), ("start", "up")),
    "commit": (("commit", "up", "made"),),
    "image": (("commit", "up", "made"), ("rmi", "made")),
    "remove": (("create", "--name", "new", "-v", "/anonymous", "busybox"), ("rm", "-v", "new")),
    "discard": (("create", "--name", "new", "-v", "/anonymous", "busybox"), ("rm", "-v", "new")),
    "network": (("network", "create", "other"), ("network", "rm", "other")),
    "connect": (("network", "connect", "net", "up"),),
    "disconnect": (("network", "connect", "net", "up"), ("network", "disconnect", "net", "up")),
    "volume": (("volume", "create", "other"), ("volume", "rm", "other")),
    "recovery": (),
}
"""By the first word of a point's name, what comes by it."""


def points() -> list[str]:
    """The names of the points of the kinds of work above, in the order of the sources."""
    named = re.compile(r"\bfailpoint\(\"([a-z.-]+)\"\)")
    found = {name for path in sorted(SOURCES.rglob("*.py")) for name in named.findall(path.read_text())}
    return sorted(name for name in found if name.partition(".")[0] in WORK)


def dies_at(daemon: Daemon, point: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Start the daemon with the point armed and work until it dies; whether it did."""
    daemon.stop()
    monkeypatch.setenv(VARIABLE, point)
    try:
        if point.startswith("recovery."):
            with pytest.raises(AssertionError, match="the daemon ended"):
                daemon.start()
            return True
        daemon.start()
        for words in WORK[point.partition(".")[0]]:
            daemon.run(*words)
        assert daemon.process is not None
        daemon.process.wait(MOMENT)
        daemon.process = None
    except subprocess.TimeoutExpired:
        return False
    finally:
        monkeypatch.delenv(VARIABLE)
    return True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All points in `make reliability`; in `make test`, one of each kind of work."""
    named = points()
    if not metafunc.config.getoption("--long"):
        named = list({name.partition(".")[0]: name for name in named}.values())
    metafunc.parametrize("point", named)


@pytest.fixture
def own(one: Daemon) -> Iterator[Daemon]:
    """The daemon of all points, with nothing in it but the image."""
    yield one
    if one.process is None or one.process.poll() is not None:
        one.start()
    one.remove_zones()


@pytest.fixture(scope="module")
def one() -> Iterator[Daemon]:
    """One daemon for all points, with the image `busybox`; at the end nothing of it may be left."""
    with daemon_with_busybox() as daemon:
        yield daemon


def test_a_crash_leaves_nothing_half_made(
    own: Daemon, point: str, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str, object], None]
) -> None:
    for words in PREPARED:
        own.docker(*words)
    process = own.docker("inspect", "-f", "{{.State.Pid}}", "up")
    assert dies_at(own, point, monkeypatch), f"nothing came by {point}"
    began = time.monotonic()
    own.start()
    figure("seconds to converge", round(time.monotonic() - began, 2))
    assert own.docker("inspect", "-f", "{{.State.Pid}}", "up") == process
    assert own.docker("exec", "up", "echo", "alive") == "alive"
    states = dict(line.split() for line in own.docker("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines())
    assert states.keys() <= {"up", "new"}
    assert states.get("new", "created") in ("created", "running", "exited")
    own.remove_zones()
    assert datasets(own.instance) == []
    # That nothing is left in the kernel is seen when the daemon of the test is closed.
