"""Limits as writes to the control files of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst).

One function a controller: from the limits and the group's directory to the writes, in order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final

from zonehost.linux.cgroup_limits import Limits, Setting, Unenforceable, bfq_scheduled, setting

DEFAULT_PERIOD: Final = 100_000
_RATES: Final = {
    "blkio_read_bps": "rbps",
    "blkio_write_bps": "wbps",
    "blkio_read_iops": "riops",
    "blkio_write_iops": "wiops",
}


def memory(limits: Limits, directory: str, _block: str) -> Iterator[Setting]:
    """memory.max, memory.swap.max (swap alone, in v2), memory.low."""
    if limits.memory_swappiness is not None:
        raise Unenforceable("memory_swappiness", "cgroup v2 has no swappiness of a group")
    if limits.oom_kill_disable:
        raise Unenforceable("oom_kill_disable", "cgroup v2 cannot turn the OOM killer off")
    swap = None if limits.memory_swap is None else limits.memory_swap - (limits.memory or 0)
    yield setting("memory", f"{directory}/memory.max", limits.memory, "max")
    yield setting("memory_swap", f"{directory}/memory.swap.max", swap, "max")
    yield setting("memory_reservation", f"{directory}/memory.low", limits.memory_reservation, "0")


def cpu(limits: Limits, directory: str, _block: str) -> Iterator[Setting]:
    """cpu.weight and cpu.max."""
    weight = None if limits.cpu_shares is None else weight_of_shares(limits.cpu_shares)
    yield setting("cpu_shares", f"{directory}/cpu.weight", weight, "100")
    quota = "max" if limits.cpu_quota is None else limits.cpu_quota
    yield Setting(
        "cpu_period" if limits.cpu_quota is None else "cpu_quota",
        f"{directory}/cpu.max",
        f"{quota} {limits.cpu_period or DEFAULT_PERIOD}",
        limits.cpu_quota is not None or limits.cpu_period is not None,
    )


def cpuset(limits: Limits, directory: str, _block: str) -> Iterator[Setting]:
    """cpuset.cpus and cpuset.mems; an empty line is all that the parent has."""
    yield setting("cpuset_cpus", f"{directory}/cpuset.cpus", limits.cpuset_cpus, "\n")
    yield setting("cpuset_mems", f"{directory}/cpuset.mems", limits.cpuset_mems, "\n")


def pids(limits: Limits, directory: str, _block: str) -> Iterator[Setting]:
    """pids.max."""
    yield setting("pids", f"{directory}/pids.max", limits.pids, "max")


def io(limits: Limits, directory: str, block: str) -> Iterator[Setting]:
    """io.bfq.weight and io.max. `io.weight` is not used: it acts only where the administrator has set up iocost."""
    if limits.blkio_weight is not None and not bfq_scheduled(block):
        raise Unenforceable("blkio_weight", "no block device here uses the bfq scheduler")
    yield setting("blkio_weight", f"{directory}/io.bfq.weight", limits.blkio_weight, "100")
    for device in limits.blkio_weight_device:
        value = f"{device.major}:{device.minor} {device.value}"
        yield Setting("blkio_weight_device", f"{directory}/io.bfq.weight", value)
    for limit, key in _RATES.items():
        for device in getattr(limits, limit):
            yield Setting(limit, f"{directory}/io.max", f"{device.major}:{device.minor} {key}={device.value}")


CONTROLLERS: Final[dict[str, Callable[[Limits, str, str], Iterator[Setting]]]] = {
    "memory": memory,
    "cpu": cpu,
    "cpuset": cpuset,
    "pids": pids,
    "io": io,
}


def weight_of_shares(shares: int) -> int:
    """The v2 weight (1 to 10000) of v1 shares (2 to 262144), by runc's curve of 2025: 1024 shares are the usual 100."""
    if shares <= 2:
        return 1
    if shares >= 262_144:
        return 10_000
    log = math.log2(shares)
    return math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))
