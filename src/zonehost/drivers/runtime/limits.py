"""Docker's limits as those of a zone's cgroups, and their failures as ours."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from zonehost.domain import blueprint
from zonehost.domain.host_config import ThrottleDevice
from zonehost.errors import Conflict, InvalidParameter, Unsupported
from zonehost.linux import cgroup_limits
from zonehost.linux.cgroup_apply import apply
from zonehost.linux.cgroup_group import Group
from zonehost.linux.cgroup_limits import DeviceValue

_PERIOD: Final = 100_000
_DOCKER_NAMES: Final = {
    "pids": "PidsLimit",
    "blkio_read_bps": "BlkioDeviceReadBps",
    "blkio_write_bps": "BlkioDeviceWriteBps",
    "blkio_read_iops": "BlkioDeviceReadIOps",
    "blkio_write_iops": "BlkioDeviceWriteIOps",
}
_SWAP_FILES: Final = ("memory.swap.max", "memory.memsw.limit_in_bytes")


def bound(limits: blueprint.Limits, group: Group, *, fresh: bool) -> None:
    """Set the limits of a zone's groups; a `fresh` one has none yet.

    Raises:
        Unsupported: the kernel here cannot enforce one of them; it is named.
        InvalidParameter: the kernel refuses a value. Conflict: the zone is gone.
    """
    try:
        apply(_translated(limits, group), group.places, fresh=fresh)
    except cgroup_limits.Unenforceable as error:
        raise Unsupported(f"{_docker_name(error.limit)}: {error.reason}") from error
    except cgroup_limits.Refused as error:
        raise InvalidParameter(f"{_docker_name(error.limit)}: {error.reason}") from error
    except FileNotFoundError as error:
        raise Conflict("the container is not running") from error


def _translated(limits: blueprint.Limits, group: Group) -> cgroup_limits.Limits:
    quota, period = limits.cpu_quota, limits.cpu_period
    if limits.nano_cpus:
        quota, period = limits.nano_cpus * _PERIOD // 1_000_000_000, _PERIOD
    return cgroup_limits.Limits(
        memory=_given(limits.memory),
        memory_reservation=_given(limits.memory_reservation),
        memory_swap=_swap(limits, group),
        memory_swappiness=None if limits.memory_swappiness == -1 else limits.memory_swappiness,
        oom_kill_disable=limits.oom_kill_disable,
        cpu_shares=limits.cpu_shares or None,
        cpu_quota=_given(quota),
        cpu_period=period or None,
        cpuset_cpus=limits.cpuset_cpus or None,
        cpuset_mems=limits.cpuset_mems or None,
        pids=limits.pids or None,
        blkio_weight=limits.blkio_weight or None,
        blkio_weight_device=tuple(_device(entry.path, entry.weight) for entry in limits.blkio_weight_device),
        blkio_read_bps=_rates(limits.blkio_read_bps),
        blkio_write_bps=_rates(limits.blkio_write_bps),
        blkio_read_iops=_rates(limits.blkio_read_iops),
        blkio_write_iops=_rates(limits.blkio_write_iops),
    )


def _given(value: int) -> int | None:
    """Zero and -1 are no limit."""
    return value if value > 0 else None


def _swap(limits: blueprint.Limits, group: Group) -> int | None:
    """Memory and swap together. Twice the memory is what Docker fills in; it is let go where swap cannot be limited."""
    directory = group.places.unified.get("memory") or group.places.legacy.get("memory", "")
    filled_in = limits.memory > 0 and limits.memory_swap == 2 * limits.memory
    if filled_in and not any(Path(directory, name).exists() for name in _SWAP_FILES):
        return None
    return _given(limits.memory_swap)


def _rates(entries: tuple[ThrottleDevice, ...]) -> tuple[DeviceValue, ...]:
    return tuple(_device(entry.path, entry.rate) for entry in entries)


def _device(path: str, value: int) -> DeviceValue:
    try:
        status = Path(path).stat()
    except OSError as error:
        raise InvalidParameter(f"no such block device: {path}") from error
    if not stat.S_ISBLK(status.st_mode):
        raise InvalidParameter(f"not a block device: {path}")
    return DeviceValue(os.major(status.st_rdev), os.minor(status.st_rdev), value)


def _docker_name(limit: str) -> str:
    """The field of Docker's HostConfig, such as CpuShares for cpu_shares."""
    return _DOCKER_NAMES.get(limit) or "".join(word.capitalize() for word in limit.split("_"))
