"""What a zone's groups have counted, from v2 or v1 files, as one set of plain numbers.

Bytes, nanoseconds and counts. What the kernel here does not count is 0 or empty. Refuses to know how anyone presents
them. Every function raises FileNotFoundError if the group is gone.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zonehost.linux.cgroup_group import Places

BlockCount = tuple[int, int, str, int]
"""Major, minor, `read` or `write`, bytes or operations."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU time, of each CPU where the kernel says it (v1), and what `cpu.max` or a CFS quota has held back."""

    total: int
    user: int
    system: int
    per_cpu: tuple[int, ...]
    periods: int
    throttled_periods: int
    throttled_time: int


@dataclass(frozen=True, slots=True)
class Memory:
    """`limit` is never more than the machine has. `stats` has the kernel's own keys, which differ between v1 and v2.

    `failures`: how often an allocation met the limit (v1), or ended in the OOM killer's hands (v2).
    """

    usage: int
    limit: int
    max_usage: int
    failures: int
    stats: dict[str, int]


@dataclass(frozen=True, slots=True)
class Pids:
    """Processes and threads now, and the most allowed; 0 for no limit."""

    current: int
    limit: int


@dataclass(frozen=True, slots=True)
class Block:
    """What went to and from block devices."""

    bytes: tuple[BlockCount, ...]
    operations: tuple[BlockCount, ...]


def cpu(places: Places) -> Cpu:
    """CPU time. The v2 tree counts it also where it has no cpu controller; only throttling is the controller's."""
    usage = _table(f"{places.zone}/cpu.stat")
    held = _table(f"{places.legacy['cpu']}/cpu.stat") if "cpu" in places.legacy else usage
    each = places.legacy.get("cpuacct")
    return Cpu(
        total=usage["usage_usec"] * 1000,
        user=usage["user_usec"] * 1000,
        system=usage["system_usec"] * 1000,
        per_cpu=tuple(map(int, _text(f"{each}/cpuacct.usage_percpu").split())) if each else (),
        periods=held.get("nr_periods", 0),
        throttled_periods=held.get("nr_throttled", 0),
        throttled_time=held.get("throttled_time", 0) + held.get("throttled_usec", 0) * 1000,
    )


def memory(places: Places) -> Memory:
    """Memory in use, page cache included."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if group := places.unified.get("memory"):
        return Memory(
            usage=_number(f"{group}/memory.current"),
            limit=min(_number(f"{group}/memory.max") or machine, machine),
            max_usage=0,
            failures=_table(f"{group}/memory.events")["oom"],
            stats=_table(f"{group}/memory.stat"),
        )
    if group := places.legacy.get("memory"):
        return Memory(
            usage=_number(f"{group}/memory.usage_in_bytes"),
            limit=min(_number(f"{group}/memory.limit_in_bytes"), machine),
            max_usage=_number(f"{group}/memory.max_usage_in_bytes"),
            failures=_number(f"{group}/memory.failcnt"),
            stats=_table(f"{group}/memory.stat"),
        )
    return Memory(0, machine, 0, 0, {})


def oom_kills(places: Places) -> int:
    """How many processes of the zone the OOM killer has killed since the group was made, in groups inside it too."""
    if group := places.unified.get("memory"):
        return _table(f"{group}/memory.events")["oom_kill"]
    if group := places.legacy.get("memory"):
        return sum(_table(f"{inner}/memory.oom_control")["oom_kill"] for inner, _, _ in os.walk(group))
    return 0


def pids(places: Places) -> Pids:
    """Processes and threads."""
    group = places.unified.get("pids") or places.legacy.get("pids")
    return Pids(_number(f"{group}/pids.current"), _number(f"{group}/pids.max")) if group else Pids(0, 0)


def block(places: Places) -> Block:
    """Input and output by device."""
    if group := places.unified.get("io"):
        lines = _text(f"{group}/io.stat").splitlines()
        return Block(tuple(_unified_io(lines, "rbytes", "wbytes")), tuple(_unified_io(lines, "rios", "wios")))
    if group := places.legacy.get("blkio"):
        return Block(
            tuple(_legacy_io(_text(f"{group}/blkio.throttle.io_service_bytes_recursive").splitlines())),
            tuple(_legacy_io(_text(f"{group}/blkio.throttle.io_serviced_recursive").splitlines())),
        )
    return Block((), ())


def _unified_io(lines: list[str], read: str, write: str) -> Iterator[BlockCount]:
    for line in lines:
        device, *pairs = line.split()
        counts = dict(pair.split("=") for pair in pairs if "=" in pair)
        major, minor = map(int, device.split(":"))
        yield major, minor, "read", int(counts.get(read, 0))
        yield major, minor, "write", int(counts.get(write, 0))


def _legacy_io(lines: list[str]) -> Iterator[BlockCount]:
    for line in lines:
        fields = line.split()
        if len(fields) == 3 and fields[1] in ("Read", "Write"):
            major, minor = map(int, fields[0].split(":"))
            yield major, minor, fields[1].lower(), int(fields[2])


def _table(path: str) -> dict[str, int]:
    return {key: int(value) for key, value in (line.split() for line in _text(path).splitlines())}


def _number(path: str) -> int:
    """The number in the file; 0 for `max`."""
    text = _text(path).strip()
    return 0 if text == "max" else int(text)


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError as error:
        if error.errno == errno.ENODEV:  # removed between open and read
            raise FileNotFoundError(errno.ENOENT, "the group is gone", path) from error
        raise
