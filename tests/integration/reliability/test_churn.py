"""Many short lives: what the daemon and the kernel hold does not grow with them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.integration.inventory import datasets, holdings
from tests.integration.rig import Daemon

AT_A_TIME = 4
GROWTH_KIB = 3000


def test_nothing_grows_with_the_number_of_runs(
    own: Daemon, rounds: Callable[[int, int], int], figure: Callable[[str, object], None]
) -> None:
    cycles = rounds(100, 5000)
    _run(own, 40)
    before, memory, descriptors = holdings(own.instance), _memory(own), _descriptors(own)
    _run(own, cycles)
    assert holdings(own.instance) == before
    assert datasets(own.instance) == []
    assert _descriptors(own) <= descriptors + 2
    assert _memory(own) <= memory + GROWTH_KIB
    figure("cycles", cycles)
    figure("growth of the daemon in KiB", _memory(own) - memory)


def _run(daemon: Daemon, times: int) -> None:
    def once(_: int) -> None:
        subprocess.run(
            ["docker", "run", "--rm", "busybox", "true"], check=True, capture_output=True, env=daemon.environment
        )

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(once, range(times)))


def _process(daemon: Daemon) -> Path:
    assert daemon.process is not None
    return Path("/proc", str(daemon.process.pid))


def _memory(daemon: Daemon) -> int:
    """The daemon's proportional set size in KiB."""
    for line in (_process(daemon) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise AssertionError("smaps_rollup has no Pss")


def _descriptors(daemon: Daemon) -> int:
    return sum(1 for _ in (_process(daemon) / "fd").iterdir())
