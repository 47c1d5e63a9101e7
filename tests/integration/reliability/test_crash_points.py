"""SIGKILL of the daemon at every named point between two steps; the next start converges by itself.

A point that no work reaches fails the test.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.inventory import datasets
from tests.integration.reliability import work
from tests.integration.reliability.figures import Figure
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(1)


def dies_at(daemon: Daemon, point: str, archives: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Start the daemon with the point armed and work until it dies; whether it did."""
    daemon.stop()
    monkeypatch.setenv(work.VARIABLE, point)
    try:
        if work.kind(point) == "recovery":
            with pytest.raises(AssertionError, match="the daemon ended"):
                daemon.start()
            return True
        daemon.start()
        for words in work.commands(point, archives):
            daemon.run(*words)
        assert daemon.process is not None
        daemon.process.wait(work.MOMENT)
        daemon.process = None
    except subprocess.TimeoutExpired:
        return False
    finally:
        monkeypatch.delenv(work.VARIABLE)
    return True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All points in `make reliability`; in `make test`, one of each kind of work."""
    if "point" in metafunc.fixturenames:
        metafunc.parametrize("point", work.points(every=metafunc.config.getoption("--long")))


def test_no_kind_of_point_is_forgotten() -> None:
    assert work.kinds() == work.WORK.keys() | work.ELSEWHERE


def test_a_crash_leaves_nothing_half_made(
    swept: Daemon, archives: Path, point: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    for words in work.PREPARED:
        swept.docker(*words)
    process = swept.docker("inspect", "-f", "{{.State.Pid}}", "up")
    assert dies_at(swept, point, archives, monkeypatch), f"nothing came by {point}"
    began = time.monotonic()
    swept.start()
    figure("most seconds to converge", round(time.monotonic() - began, 2))
    assert swept.docker("inspect", "-f", "{{.State.Pid}}", "up") == process
    assert swept.docker("exec", "up", "echo", "alive") == "alive"
    states = dict(line.split() for line in swept.docker("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines())
    assert states.keys() <= {"up", "new"}
    assert states.get("new", "created") in ("created", "running", "exited")
    assert swept.doctor() == []
    swept.remove_zones()
    assert datasets(swept.instance) == []
    figure("points tried", 1, fold="sum")
    # That nothing is left in the kernel is seen when the daemon of the test is closed.
