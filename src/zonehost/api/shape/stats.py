"""Counters of a zone, as `docker stats` reads them: the rates are the client's to reckon, from now and before."""

from __future__ import annotations

from typing import Any

from zonehost.api.shape.times import ZERO, rfc3339
from zonehost.engine.container.stats import Frame
from zonehost.ports.runtime import Sample

_BLOCK_KINDS = (
    "io_queue_recursive",
    "io_service_time_recursive",
    "io_wait_time_recursive",
    "io_merged_recursive",
    "io_time_recursive",
    "sectors_recursive",
)
"""Counters of an I/O scheduler that Linux no longer has; Docker answers null."""


def frame(value: Frame) -> dict[str, Any]:
    """One line of `GET /containers/{id}/stats`; of a zone that does not run, all is zero."""
    now, before = value.now, value.before
    answer: dict[str, Any] = {
        "name": f"/{value.container.name}",
        "id": value.container.id,
        "read": rfc3339(now.time) if now else ZERO,
        "preread": rfc3339(before.time) if before else ZERO,
        "pids_stats": _pids(now),
        "blkio_stats": _block(now),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _cpu(now),
        "precpu_stats": _cpu(before),
        "memory_stats": _memory(now),
    }
    if now is not None and now.interfaces:
        answer["networks"] = now.interfaces
    return answer


def _pids(sample: Sample | None) -> dict[str, int]:
    if sample is None:
        return {}
    return {"current": sample.pids, **({"limit": sample.pids_limit} if sample.pids_limit else {})}


def _block(sample: Sample | None) -> dict[str, Any]:
    moved = sample.block_bytes if sample else ()
    served = sample.block_operations if sample else ()
    return {
        "io_service_bytes_recursive": [_entry(*entry) for entry in moved] or None,
        "io_serviced_recursive": [_entry(*entry) for entry in served] or None,
        **dict.fromkeys(_BLOCK_KINDS),
    }


def _entry(major: int, minor: int, operation: str, value: int) -> dict[str, Any]:
    return {"major": major, "minor": minor, "op": operation, "value": value}


def _cpu(sample: Sample | None) -> dict[str, Any]:
    if sample is None:
        usage: dict[str, Any] = {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0}
        return {"cpu_usage": usage, "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0}}
    usage = {
        "total_usage": sample.cpu_total,
        "usage_in_kernelmode": sample.cpu_system,
        "usage_in_usermode": sample.cpu_user,
    }
    if sample.cpu_per_cpu:
        usage["percpu_usage"] = sample.cpu_per_cpu
    return {
        "cpu_usage": usage,
        "system_cpu_usage": sample.host_cpu_total,
        "online_cpus": sample.online_cpus,
        "throttling_data": {
            "periods": sample.throttling_periods,
            "throttled_periods": sample.throttled_periods,
            "throttled_time": sample.throttled_time,
        },
    }


def _memory(sample: Sample | None) -> dict[str, Any]:
    if sample is None:
        return {}
    answer: dict[str, Any] = {
        "usage": sample.memory_usage,
        "stats": sample.memory_stats,
        "limit": sample.memory_limit,
    }
    if sample.cgroup_version == 1:
        answer["max_usage"] = sample.memory_max_usage
        answer["failcnt"] = sample.memory_failures
    return answer
