"""What can be limited by a cgroup, and how a limit fails: values for both generations of cgroups.

Refuses to know files and formats; `cgroup_limits_unified` and `cgroup_limits_legacy` do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class DeviceValue(NamedTuple):
    """A rate (a second) or a weight, for one whole block device."""

    major: int
    minor: int
    value: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a group, in the meaning of the OCI runtime specification's `linux.resources`; None is none.

    Memory is in bytes, and `memory_swap` is memory and swap together. `cpu_quota` is microseconds of CPU time in each
    `cpu_period` microseconds; `cpu_shares` runs from 2 to 262144 with 1024 as the usual. CPUs and memory nodes are
    lists as in cpuset(7). I/O weights run from 10 to 1000.
    """

    memory: int | None = None
    memory_reservation: int | None = None
    memory_swap: int | None = None
    memory_swappiness: int | None = None
    oom_kill_disable: bool = False
    cpu_shares: int | None = None
    cpu_quota: int | None = None
    cpu_period: int | None = None
    cpuset_cpus: str | None = None
    cpuset_mems: str | None = None
    pids: int | None = None
    blkio_weight: int | None = None
    blkio_weight_device: tuple[DeviceValue, ...] = ()
    blkio_read_bps: tuple[DeviceValue, ...] = ()
    blkio_write_bps: tuple[DeviceValue, ...] = ()
    blkio_read_iops: tuple[DeviceValue, ...] = ()
    blkio_write_iops: tuple[DeviceValue, ...] = ()


class Setting(NamedTuple):
    """One write to a control file, for the field of `Limits` named `limit`.

    `wanted` is false where no limit is asked for and the write takes an earlier one back.
    """

    limit: str
    path: str
    value: str
    wanted: bool = True


class LimitError(Exception):
    """A limit was not set; `limit` is its field in `Limits`, `reason` says why in a clause."""

    def __init__(self, limit: str, reason: str) -> None:
        super().__init__(f"{limit}: {reason}")
        self.limit = limit
        self.reason = reason


class Unenforceable(LimitError):
    """The kernel here has nothing that would enforce the limit."""


class Refused(LimitError):
    """The kernel could enforce such a limit, but does not take this value."""


def setting(limit: str, path: str, value: object, unset: str) -> Setting:
    """A write of the value, or of `unset` where there is none."""
    return Setting(limit, path, unset if value is None else str(value), value is not None)


def bfq_scheduled(block: str) -> bool:
    """Whether any device below `block` (/sys/block) uses the bfq I/O scheduler.

    The weight files exist in every group as soon as the kernel knows bfq, but only bfq itself looks at them.
    """
    return any("[bfq]" in path.read_text() for path in Path(block).glob("*/queue/scheduler"))
