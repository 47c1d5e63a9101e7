"""Many short lives: what the daemon and the kernel hold does not grow with them.

All is counted after each tenth of the cycles; a figure is the slope of a straight line through the counts (least
squares), which a step at the beginning does not bend.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.inventory import datasets, holdings, storage_roots
from tests.integration.reliability.client import Local
from tests.integration.reliability.figures import Figure
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(8)
AT_A_TIME = 4
SAMPLES = 10
GROWTH = 0.5
"""By what a count may grow with a thousand cycles: a thread that opens its first socket late is no leak."""
GROWTH_KIB = 300.0
"""The same of the daemon's memory in KiB: an allocator does not give all back."""


def test_nothing_grows_with_the_number_of_runs(own: Daemon, rounds: Callable[[int, int], int], figure: Figure) -> None:
    cycles = rounds(100, 5000)
    _cycle(own, rounds(40, 500))
    counts = [_counts(own)]
    began = time.monotonic()
    for _ in range(SAMPLES):
        _cycle(own, cycles // SAMPLES)
        counts.append(_counts(own))
    figure("cycles", cycles)
    figure("cycles a second", round(cycles / (time.monotonic() - began), 1))
    assert datasets(own.instance) == []
    grown = []
    for name in counts[0]:
        slope = _slope([count[name] for count in counts]) / (cycles // SAMPLES) * 1000
        figure(f"{name}, growth in 1,000 cycles", round(slope, 2))
        most = GROWTH_KIB if name.startswith("KiB") else GROWTH
        if slope > most and counts[-1][name] > counts[0][name] + 2 and (cycles >= 1000 or not name.startswith("KiB")):
            grown.append((name, [count[name] for count in counts]))  # of a hundred cycles a line of KiB says little
    assert grown == []
    assert own.doctor() == []


def _cycle(daemon: Daemon, times: int) -> None:
    """Run and remove containers, by several clients at once."""

    def some(number: int) -> None:
        client = Local(daemon)
        for _ in range(times // AT_A_TIME + (number < times % AT_A_TIME)):
            made = client.call("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]})
            assert made.status == 201, made
            place = f"/containers/{made.body['Id']}"
            assert client.call("POST", f"{place}/start").status == 204
            assert client.call("POST", f"{place}/wait").body["StatusCode"] == 0
            assert client.call("DELETE", place).status == 204
        client.close()

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(some, range(AT_A_TIME)))


def _counts(daemon: Daemon) -> dict[str, int]:
    """What there is now, by kind."""
    assert daemon.process is not None
    process = Path("/proc", str(daemon.process.pid))
    held = holdings(daemon.instance)
    return {
        "descriptors": sum(1 for _ in (process / "fd").iterdir()),
        "KiB of the daemon": _memory(process),
        "cgroups": sum(line.startswith("cgroup ") for line in held),
        "links and loop devices": sum(line.startswith(("link ", "loop device ")) for line in held),
        "processes, mounts and sockets": sum(line.startswith(("process ", "mount ", "unix socket ")) for line in held),
        "lines of nftables": _firewall(daemon),
        "files": sum(sum(1 for _ in root.rglob("*")) for root in _folders(daemon)),
    }


def _folders(daemon: Daemon) -> list[Path]:
    """Where the instance keeps files. Of the images' own there are too many, and always the same."""
    parts = [part for root in storage_roots(daemon.instance) for part in root.iterdir() if part.is_dir()]
    parts = [part for part in parts if part.name not in ("layers", "pool")]
    return [daemon.instance.run_root, *parts]


def _memory(process: Path) -> int:
    """Its anonymous memory in KiB: what it has for itself, whoever else maps the same files."""
    for line in (process / "smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1])
    raise AssertionError("smaps_rollup has no Anonymous")


def _firewall(daemon: Daemon) -> int:
    """Elements and rules of the instance's table, a line each."""
    table = f"zonehost-{daemon.instance.name}"
    command = ["nft", "--stateless", "list", "table", "inet", table]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout
    return listed.count("\n") + listed.count(",")


def _slope(values: list[int]) -> float:
    """By how much a value grows from one to the next, by least squares."""
    middle = (len(values) - 1) / 2
    mean = sum(values) / len(values)
    above = sum((place - middle) * (value - mean) for place, value in enumerate(values))
    return above / sum((place - middle) ** 2 for place in range(len(values)))
