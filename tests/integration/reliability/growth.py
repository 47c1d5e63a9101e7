"""What a daemon and the kernel hold, counted again and again while something is repeated, and how fast it grows."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.integration.inventory import holdings, storage_roots
from tests.integration.reliability.client import Local
from tests.integration.rig import Daemon

Once = Callable[[Local, int], None]
"""Something to do again and again, by the client of this number."""
MEMORY: Final = "KiB of the daemon"
LAUNCHERS: Final = "KiB of its launchers"
"""Of the fork servers, in whose memory births happen."""
AT_A_TIME: Final = 4
SAMPLES: Final = 20
GROWTH: Final = 0.5
"""By what a count may grow with a thousand cycles: a thread that opens its first socket late is no leak."""
KIB_OF_HUNDREDS: Final = 2000
"""The same of the daemon's memory, in KiB, where there are only hundreds of cycles: of those none leaves more than two,
with the spare tuples and the like that still gather."""
SURE: Final = 2.0
"""Standard errors on each side that make an interval of 95 %."""
STRETCHES: Final = 3
"""In one of so many, one after the other, nothing may grow: a leak is the same in each, what fills levels off."""


@dataclass(frozen=True, slots=True)
class Growth:
    """By how much a count grows with a thousand cycles, by least squares, and how far off that may be (95 %)."""

    slope: float
    give_or_take: float

    @property
    def least(self) -> float:
        """What it grows by for sure."""
        return self.slope - self.give_or_take


@dataclass(frozen=True, slots=True)
class Level:
    """The first stretch in which nothing grew, or the last that was tried; `done` is the cycles of all together."""

    counts: dict[str, list[int]]
    grown: dict[str, list[int]]
    done: int


def level(daemon: Daemon, once: Once, cycles: int, kib: float) -> Level:
    """Churn, so many cycles a stretch, until nothing grows in one."""
    for stretch in range(1, STRETCHES + 1):
        counts = churn(daemon, once, cycles)
        found = Level(counts, grown(counts, cycles, kib), stretch * cycles)
        if not found.grown:
            break
    return found


def churn(daemon: Daemon, once: Once, cycles: int) -> dict[str, list[int]]:
    """What there is at the beginning and after each sample's share of the cycles, by kind."""
    counts = [counted(daemon)]
    samples = SAMPLES if cycles >= SAMPLES**2 else SAMPLES // 2
    for _ in range(samples):
        cycle(daemon, once, cycles // samples)
        counts.append(counted(daemon))
    return {name: [count[name] for count in counts] for name in counts[0]}


def cycle(daemon: Daemon, once: Once, times: int) -> None:
    """Do something so many times, by several clients at once."""

    def some(number: int) -> None:
        client = Local(daemon)
        for _ in range(times // AT_A_TIME + (number < times % AT_A_TIME)):
            once(client, number)
        client.close()

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(some, range(AT_A_TIME)))


def growth(values: list[int], cycles: int) -> Growth:
    """Of counts that were taken at even distances, over so many cycles in all."""
    last = len(values) - 1
    places = [place - last / 2 for place in range(last + 1)]
    spread = sum(place * place for place in places)
    mean = sum(values) / len(values)
    slope = sum(place * (value - mean) for place, value in zip(places, values, strict=True)) / spread
    off = sum((value - mean - slope * place) ** 2 for place, value in zip(places, values, strict=True))
    error = math.sqrt(off / (last - 1) / spread)
    in_thousand = last / cycles * 1000
    return Growth(slope * in_thousand, SURE * error * in_thousand)


def counted(daemon: Daemon) -> dict[str, int]:
    """What there is now, by kind."""
    assert daemon.process is not None
    process = Path("/proc", str(daemon.process.pid))
    held = holdings(daemon.instance)
    return {
        "descriptors": sum(1 for _ in (process / "fd").iterdir()),
        MEMORY: _memory(process),
        LAUNCHERS: sum(map(_memory, _launchers(process))),
        "cgroups": sum(line.startswith("cgroup ") for line in held),
        "links and loop devices": sum(line.startswith(("link ", "loop device ")) for line in held),
        "processes, mounts and sockets": sum(line.startswith(("process ", "mount ", "unix socket ")) for line in held),
        "lines of nftables": _firewall(daemon),
        "files": sum(sum(1 for _ in root.rglob("*")) for root in _folders(daemon)),
    }


def grown(counts: dict[str, list[int]], cycles: int, kib: float) -> dict[str, list[int]]:
    """What grew: memory by more than so many KiB in a thousand cycles for sure, anything else at all.

    Of less than a hundred cycles a line of KiB says nothing.
    """
    return {name: values for name, values in counts.items() if _grows(name, values, cycles, kib)}


def ask(client: Local, method: str, path: str, body: object = None) -> Any:
    """What the daemon answers to a call that must succeed."""
    answer = client.call(method, path, body)
    assert answer.status < 300, answer
    return answer.body


def be_remembered(client: Local, number: int) -> None:
    """Have the daemon remember a command in the container `up`, and an event: of each it remembers a thousand."""
    ask(client, "POST", "/containers/up/exec", {"Cmd": ["true"]})


def exec_in(client: Local, place: str) -> None:
    """Run a command in the container at this path of the API, to its end."""
    begun = ask(client, "POST", f"{place}/exec", {"Cmd": ["echo"], "AttachStdout": True})["Id"]
    ask(client, "POST", f"/exec/{begun}/start", {})
    client.close()  # as that connection left HTTP


def _grows(name: str, values: list[int], cycles: int, kib: float) -> bool:
    growing = growth(values, cycles)
    if name in (MEMORY, LAUNCHERS):
        return cycles >= 100 and growing.least > kib
    return growing.slope > GROWTH and values[-1] > values[0] + 2


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


def _launchers(daemon: Path) -> list[Path]:
    """Of the daemon's children in /proc."""
    pids = (daemon / "task" / daemon.name / "children").read_text().split()
    children = [daemon.parent / pid for pid in pids]
    return [child for child in children if (child / "comm").read_text() == "zonehost-fork\n"]


def _firewall(daemon: Daemon) -> int:
    """Elements and rules of the instance's table, a line each."""
    table = f"zonehost-{daemon.instance.name}"
    command = ["nft", "--stateless", "list", "table", "inet", table]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout
    return listed.count("\n") + listed.count(",")
