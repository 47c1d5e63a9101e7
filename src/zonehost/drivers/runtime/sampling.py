"""A zone's counters at one moment, from its cgroups, its network namespace and the machine."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from zonehost.drivers.runtime.living import Zone
from zonehost.errors import Conflict
from zonehost.linux import cgroup_stats
from zonehost.ports.runtime import Sample

_COLUMNS: Final = {
    "rx_bytes": 0,
    "rx_packets": 1,
    "rx_errors": 2,
    "rx_dropped": 3,
    "tx_bytes": 8,
    "tx_packets": 9,
    "tx_errors": 10,
    "tx_dropped": 11,
}
"""Of /proc/PID/net/dev (proc_pid_net(5))."""


def sample(zone: Zone) -> Sample:
    """Its counters now.

    Raises:
        Conflict: the zone is not running.
    """
    places = zone.group.places
    try:
        cpu = cgroup_stats.cpu(places)
        memory = cgroup_stats.memory(places)
        pids = cgroup_stats.pids(places)
        block = cgroup_stats.block(places)
        interfaces = _interfaces(zone.pid)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Conflict(f"container {zone.id} is not running") from error
    return Sample(
        time=time.time_ns(),
        cpu_total=cpu.total,
        cpu_user=cpu.user,
        cpu_system=cpu.system,
        cpu_per_cpu=cpu.per_cpu,
        host_cpu_total=_host_cpu(),
        online_cpus=len(os.sched_getaffinity(0)),
        throttled_periods=cpu.throttled_periods,
        throttling_periods=cpu.periods,
        throttled_time=cpu.throttled_time,
        memory_usage=memory.usage,
        memory_limit=memory.limit,
        memory_max_usage=memory.max_usage,
        memory_failures=memory.failures,
        memory_stats=memory.stats,
        pids=pids.current,
        pids_limit=pids.limit,
        block_bytes=block.bytes,
        block_operations=block.operations,
        interfaces=interfaces,
        cgroup_version=1 if places.legacy else 2,
    )


def _host_cpu() -> int:
    """Nanoseconds of all CPUs, in whatever state, without those of guests, which are in `user` (proc_stat(5))."""
    with open("/proc/stat") as file:
        fields = file.readline().split()[1:9]
    return sum(map(int, fields)) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def _interfaces(pid: int) -> dict[str, dict[str, int]]:
    found = {}
    for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]:
        name, _, numbers = line.partition(":")
        if name.strip() != "lo":
            fields = numbers.split()
            found[name.strip()] = {key: int(fields[column]) for key, column in _COLUMNS.items()}
    return found
