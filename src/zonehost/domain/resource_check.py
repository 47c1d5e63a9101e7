"""Whether the resources that a HostConfig asks for can be had on this machine, in Docker's words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from zonehost.domain.host_config import HostConfig, Ulimit
from zonehost.errors import InvalidParameter, Unsupported

MINIMUM_MEMORY: Final = 6 << 20
"""Bytes; less is not enough to start anything."""
_ULIMITS: Final = "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack"
_NUMBERS: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_MOST_NUMBERS: Final = 8192
"""Processors that a kernel can be made for (CONFIG_NR_CPUS); of memory nodes there are fewer."""
_NEVER: Final = (
    ("cpu_realtime_period", "CpuRealtimePeriod"),
    ("cpu_realtime_runtime", "CpuRealtimeRuntime"),
    ("kernel_memory", "KernelMemory"),
    ("kernel_memory_tcp", "KernelMemoryTCP"),
)
_OTHER_SYSTEMS: Final = (
    ("cpu_count", "CpuCount"),
    ("cpu_percent", "CpuPercent"),
    ("io_maximum_iops", "IOMaximumIOps"),
    ("io_maximum_bandwidth", "IOMaximumBandwidth"),
)


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the machine has: processors, and which of them and of its memory nodes may be used."""

    cpus: int
    cpu_numbers: frozenset[int]
    memory_nodes: frozenset[int]


def check_resources(host: HostConfig, capacity: Capacity, *, update: bool = False) -> None:
    """Look through limits; with `update`, zero means that a limit stays as it is.

    Raises:
        InvalidParameter: a limit is out of bounds or contradicts another.
        Unsupported: one is of a kind that zonehost does not have.
    """
    for attribute, name in _NEVER:
        if getattr(host, attribute):
            raise Unsupported(f"{name} is not supported")
    for attribute, name in _OTHER_SYSTEMS:
        if getattr(host, attribute):
            raise InvalidParameter(f"invalid option: {name} is not supported on linux")
    _check_memory(host, update=update)
    _check_cpu(host, capacity)
    _check_block_io(host)
    for limit in host.ulimits or ():
        check_ulimit(limit)


def check_ulimit(limit: Ulimit) -> None:
    """Look through a resource limit of processes.

    Raises:
        InvalidParameter: its name is unknown, or soft is above hard.
    """
    if limit.name not in _ULIMITS.split():
        raise InvalidParameter(f"invalid ulimit type: {limit.name}")
    if limit.hard != -1 and (limit.soft == -1 or limit.soft > limit.hard):
        raise InvalidParameter(
            f"ulimit soft limit must be less than or equal to hard limit: {limit.soft} > {limit.hard}"
        )


def parse_number_list(text: str) -> frozenset[int]:
    """Read a list such as `0-3,7`, as cpuset(7) writes it.

    Raises:
        InvalidParameter: it is badly written, or names more than any machine has.
    """
    numbers: set[int] = set()
    for part in text.strip().split(",") if text.strip() else ():
        match = _NUMBERS.fullmatch(part)
        if match is None or not int(match[1]) <= (last := int(match[2] or match[1])) < _MOST_NUMBERS:
            raise InvalidParameter(f"invalid format: {text}")
        numbers.update(range(int(match[1]), last + 1))
    return frozenset(numbers)


def number_list(numbers: frozenset[int]) -> str:
    """The numbers as cpuset(7) writes them, `0-3,7`."""
    ordered = sorted(numbers)
    firsts = [number for number in ordered if number - 1 not in numbers]
    lasts = [number for number in ordered if number + 1 not in numbers]
    return ",".join(str(one) if one == last else f"{one}-{last}" for one, last in zip(firsts, lasts, strict=True))


def _check_memory(host: HostConfig, *, update: bool) -> None:
    if host.memory and host.memory < MINIMUM_MEMORY:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if host.memory > 0 and 0 < host.memory_swap < host.memory:
        raise InvalidParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    if host.memory_swap < -1:
        raise InvalidParameter(f"invalid MemorySwap: {host.memory_swap}")
    if host.memory == 0 and host.memory_swap > 0 and not update:
        raise InvalidParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    if host.memory_swappiness is not None and not -1 <= host.memory_swappiness <= 100:
        raise InvalidParameter(f"Invalid value: {host.memory_swappiness}, valid memory swappiness range is 0-100")
    if host.memory_reservation and host.memory_reservation < MINIMUM_MEMORY:
        raise InvalidParameter("Minimum memory reservation allowed is 6MB")
    if 0 < host.memory < host.memory_reservation:
        raise InvalidParameter("Minimum memory limit can not be less than memory reservation limit, see usage")


def _check_cpu(host: HostConfig, capacity: Capacity) -> None:
    if host.nano_cpus > 0 and host.cpu_period > 0:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if host.nano_cpus > 0 and host.cpu_quota > 0:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if not 0 <= host.nano_cpus <= capacity.cpus * 1_000_000_000:
        raise InvalidParameter(
            f"range of CPUs is from 0.01 to {capacity.cpus}.00, as there are only {capacity.cpus} CPUs available"
        )
    if host.cpu_shares < 0:
        raise InvalidParameter(f"invalid CPU shares ({host.cpu_shares}): value must be a positive integer")
    if host.cpu_shares == 1:
        raise InvalidParameter("the minimum allowed cpu-shares is 2")
    if host.cpu_shares > 262144:
        raise InvalidParameter("the maximum allowed cpu-shares is 262144")
    if host.cpu_period and not 1000 <= host.cpu_period <= 1000000:
        raise InvalidParameter("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < host.cpu_quota < 1000 or host.cpu_quota < -1:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    for asked, available, field, what in (
        (host.cpuset_cpus, capacity.cpu_numbers, "cpuset cpus", "CPUs"),
        (host.cpuset_mems, capacity.memory_nodes, "cpuset mems", "memory nodes"),
    ):
        try:
            numbers = parse_number_list(asked)
        except InvalidParameter as error:
            raise InvalidParameter(f"Invalid value {asked} for {field}: {error}") from None
        if not numbers <= available:
            raise InvalidParameter(
                f"Requested {what} are not available - requested {asked}, available: {number_list(available)}"
            )


def _check_block_io(host: HostConfig) -> None:
    if host.blkio_weight and not 10 <= host.blkio_weight <= 1000:
        raise InvalidParameter("Range of blkio weight is from 10 to 1000")
    for device in host.blkio_weight_device or ():
        if not 10 <= device.weight <= 1000:
            raise InvalidParameter(f"Range of blkio weight is from 10 to 1000, {device.path} has {device.weight}")
    for field, devices in (
        ("BlkioDeviceReadBps", host.blkio_device_read_bps),
        ("BlkioDeviceWriteBps", host.blkio_device_write_bps),
        ("BlkioDeviceReadIOps", host.blkio_device_read_iops),
        ("BlkioDeviceWriteIOps", host.blkio_device_write_iops),
    ):
        for throttle in devices or ():
            if throttle.rate < 0:
                raise InvalidParameter(f"{field}: the rate of {throttle.path} cannot be negative")
