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
from typing import Any

import pytest

from tests.integration.inventory import datasets, holdings, storage_roots
from tests.integration.reliability.client import Local
from tests.integration.reliability.figures import Figure
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(8)
Once = Callable[[Local, int], None]
"""Something to do again and again, by the client of this number."""
AT_A_TIME = 4
SAMPLES = 10
GROWTH = 0.5
"""By what a count may grow with a thousand cycles: a thread that opens its first socket late is no leak."""
GROWTH_KIB = 300.0
"""The same of the daemon's memory in KiB: an allocator does not give all back."""


def test_nothing_grows_with_the_number_of_runs(own: Daemon, rounds: Callable[[int, int], int], figure: Figure) -> None:
    cycles = rounds(100, 5000)
    _cycle(own, _run, rounds(40, 500))
    began = time.monotonic()
    counts = _churn(own, _run, cycles)
    figure("cycles", cycles)
    figure("cycles a second", round(cycles / (time.monotonic() - began), 1))
    grown = []
    for name, values in counts.items():
        slope = _slope(values) / (cycles // SAMPLES) * 1000
        figure(f"{name}, growth in 1,000 cycles", round(slope, 2))
        if _grows(name, values, slope, cycles):
            grown.append((name, values))
    assert grown == []
    assert datasets(own.instance) == []
    assert own.doctor() == []


def test_nothing_grows_with_all_that_is_made_and_removed(own: Daemon, rounds: Callable[[int, int], int]) -> None:
    own.docker("network", "create", "net")
    own.docker("create", "--name", "base", "busybox")
    cycles = rounds(40, 300)
    _cycle(own, _everything, 40)
    counts = _churn(own, _everything, cycles)
    slopes = {name: _slope(values) / (cycles // SAMPLES) * 1000 for name, values in counts.items()}
    assert [(name, counts[name]) for name in counts if _grows(name, counts[name], slopes[name], cycles)] == []
    assert own.doctor() == []


def _churn(daemon: Daemon, once: Once, cycles: int) -> dict[str, list[int]]:
    """What there is at the beginning and after each tenth of the cycles, by kind."""
    counts = [_counts(daemon)]
    for _ in range(SAMPLES):
        _cycle(daemon, once, cycles // SAMPLES)
        counts.append(_counts(daemon))
    return {name: [count[name] for count in counts] for name in counts[0]}


def _grows(name: str, values: list[int], slope: float, cycles: int) -> bool:
    """Whether that is a leak; of a hundred cycles a line of KiB says little."""
    if name.startswith("KiB"):
        return cycles >= 1000 and slope > GROWTH_KIB
    return slope > GROWTH and values[-1] > values[0] + 2


def _cycle(daemon: Daemon, once: Once, times: int) -> None:
    """Do something so many times, by several clients at once."""

    def some(number: int) -> None:
        client = Local(daemon)
        for _ in range(times // AT_A_TIME + (number < times % AT_A_TIME)):
            once(client, number)
        client.close()

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(some, range(AT_A_TIME)))


def _ask(client: Local, method: str, path: str, body: object = None) -> Any:
    answer = client.call(method, path, body)
    assert answer.status < 300, answer
    return answer.body


def _run(client: Local, number: int) -> None:
    """Run a container and remove it."""
    place = f"/containers/{_ask(client, 'POST', '/containers/create', {'Image': 'busybox', 'Cmd': ['true']})['Id']}"
    _ask(client, "POST", f"{place}/start")
    assert _ask(client, "POST", f"{place}/wait")["StatusCode"] == 0
    _ask(client, "DELETE", place)


def _everything(client: Local, number: int) -> None:
    """Make, use and remove one thing of each kind."""
    asked = {
        "Image": "busybox",
        "Cmd": ["sleep", "3600"],
        "Volumes": {"/anonymous": {}},
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": {"NetworkMode": "net", "PortBindings": {"80/tcp": [{"HostPort": ""}]}},
    }
    place = f"/containers/{_ask(client, 'POST', '/containers/create', asked)['Id']}"
    _ask(client, "POST", f"{place}/start")
    command = {"Cmd": ["echo"], "AttachStdout": True}
    _ask(client, "POST", f"/exec/{_ask(client, 'POST', f'{place}/exec', command)['Id']}/start", {})
    client.close()  # as that connection left HTTP
    for look in ("json", "top", "stats?stream=0", "logs?stdout=1", "archive?path=/bin/busybox"):
        _ask(client, "GET", f"{place}/{look}")
    _ask(client, "DELETE", f"{place}?force=1&v=1")
    _ask(client, "DELETE", f"/networks/{_ask(client, 'POST', '/networks/create', {'Name': f'other{number}'})['Id']}")
    _ask(client, "DELETE", f"/volumes/{_ask(client, 'POST', '/volumes/create', {'Name': f'volume{number}'})['Name']}")
    _ask(client, "POST", f"/commit?container=base&repo=made{number}")
    _ask(client, "DELETE", f"/images/made{number}")


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
