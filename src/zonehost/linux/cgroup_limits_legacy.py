"""Limits as writes to the control files of cgroup v1 (Documentation/admin-guide/cgroup-v1).

One function a controller: from the limits and the group's directory to the writes, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from zonehost.linux.cgroup_limits import Limits, Setting, Unenforceable, bfq_scheduled, setting

_RATES: Final = {
    "blkio_read_bps": "blkio.throttle.read_bps_device",
    "blkio_write_bps": "blkio.throttle.write_bps_device",
    "blkio_read_iops": "blkio.throttle.read_iops_device",
    "blkio_write_iops": "blkio.throttle.write_iops_device",
}


def memory(limits: Limits, directory: str, _block: str) -> Iterator[Setting]:
    """The limit alone may never exceed the limit with swap, so the order of the two writes depends on the old one."""
    alone = setting("memory", f"{directory}/memory.limit_in_bytes", limits.memory, "-1")
    both = setting("memory_swap", f"{directory}/memory.memsw.limit_in_bytes", limits.memory_swap, "-1")
    yield from (both, alone) if _grows(both) else (alone, both)
    yield setting("memory_reservation", f"{directory}/memory.soft_limit_in_bytes", limits.memory_reservation, "-1")
    if limits.memory_swappiness is not None:
        yield Setting("memory_swappiness", f"{directory}/memory.swappiness", str(limits.memory_swappiness))
    if limits.oom_kill_disable:
        yield Setting("oom_kill_disable", f"{directory}/memory.oom_control", "1")


def cpu(limits: Limits, directory: str, _block: str) -> Iterator[Setting]:
    """A period that does not fit the quota before it is refused, so the quota is lifted first."""
    yield setting("cpu_shares", f"{directory}/cpu.shares", limits.cpu_shares, "1024")
    yield Setting("cpu_quota", f"{directory}/cpu.cfs_quota_us", "-1", wanted=False)
    yield setting("cpu_period", f"{directory}/cpu.cfs_period_us", limits.cpu_period, "100000")
    yield setting("cpu_quota", f"{directory}/cpu.cfs_quota_us", limits.cpu_quota, "-1")


def cpuset(limits: Limits, directory: str, _block: str) -> Iterator[Setting]:
    """An empty v1 cpuset takes no process, so no limit is what the parent has."""
    for limit, name in (("cpuset_cpus", "cpuset.cpus"), ("cpuset_mems", "cpuset.mems")):
        value: str | None = getattr(limits, limit)
        yield setting(limit, f"{directory}/{name}", value, "" if value else _read(f"{directory}/../{name}"))


def pids(limits: Limits, directory: str, _block: str) -> Iterator[Setting]:
    """pids.max."""
    yield setting("pids", f"{directory}/pids.max", limits.pids, "max")


def blkio(limits: Limits, directory: str, block: str) -> Iterator[Setting]:
    """The bfq weights, and the throttle of each device."""
    if limits.blkio_weight is not None and not bfq_scheduled(block):
        raise Unenforceable("blkio_weight", "no block device here uses the bfq scheduler")
    yield setting("blkio_weight", f"{directory}/blkio.bfq.weight", limits.blkio_weight, "100")
    for limit, name in {"blkio_weight_device": "blkio.bfq.weight_device", **_RATES}.items():
        for device in getattr(limits, limit):
            yield Setting(limit, f"{directory}/{name}", f"{device.major}:{device.minor} {device.value}")


CONTROLLERS: Final[dict[str, Callable[[Limits, str, str], Iterator[Setting]]]] = {
    "memory": memory,
    "cpu": cpu,
    "cpuset": cpuset,
    "pids": pids,
    "blkio": blkio,
}


def _grows(memory_swap: Setting) -> bool:
    try:
        return int(memory_swap.value) < 0 or int(memory_swap.value) > int(_read(memory_swap.path))
    except FileNotFoundError:  # a kernel that does not account swap
        return False


def _read(path: str) -> str:
    return Path(path).read_text().strip()
