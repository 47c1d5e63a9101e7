"""What becomes of limits: the part of a HostConfig that can be updated, created and updated."""

from __future__ import annotations

from typing import Any, Final

from tests.integration.fields.verdicts import Obeyed, Refused, Verdict, Verdicts, cgroup

_DISK: Final = "/dev/loop0"
"""A disk that is there wherever zonehost has a pool in a file."""
_NOT_HERE: Final = "is not supported on linux"


RESOURCES: Final[Verdicts] = {}
UPDATES: Final[Verdicts] = {}


def _both(place: str, *created: Verdict, updated: Verdict | tuple[Verdict, ...] | None = None) -> None:
    """Note what becomes of a field in a create, and in an update if that is not the same."""
    RESOURCES[f"HostConfig.{place}"] = created[0] if len(created) == 1 else created
    UPDATES[place] = updated if updated is not None else RESOURCES[f"HostConfig.{place}"]


def _limit(value: Any, legacy: str, unified: str, prints: str, **beside: Any) -> Obeyed:
    return Obeyed(
        value=value, command=cgroup(legacy, unified), prints=prints, beside={"HostConfig": beside} if beside else {}
    )


def _fixed(place: str, value: Any) -> Refused:
    """Docker takes some of these and does nothing; here they are refused."""
    return Refused(value=value, status=501, says=f"{place} of a container cannot be updated")


_64M: Final = 64 << 20

_both("CpuShares", _limit(512, "cpu/cpu.shares", "cpu.weight", "512|20"))
_both("Memory", _limit(_64M, "memory/memory.limit_in_bytes", "memory.max", "67108864"))
_both(
    "CgroupParent",
    Obeyed(
        value="/fields", elsewhere="tests/integration/test_cgroup.py: def test_nothing_is_left_below_a_foreign_parent"
    ),
    updated=_fixed("CgroupParent", "/fields"),
)
_both(
    "BlkioWeight",
    _limit(300, "blkio/blkio.bfq.weight", "io.bfq.weight", "(default )?300"),
    Refused(value=300, status=501, says="BlkioWeight"),
)
for _place, _field in (("Path", "BlkioWeightDevice"), ("Weight", "BlkioWeightDevice")):
    _both(
        f"{_field}[].{_place}",
        Obeyed(value=[{"Path": _DISK, "Weight": 300}], elsewhere="tests/unit/linux/test_cgroup_limits.py: weight"),
        Refused(value=[{"Path": _DISK, "Weight": 300}], status=501, says=_field),
        updated=_fixed(_field, [{"Path": _DISK, "Weight": 300}]),
    )
for _field, _legacy, _word in (
    ("BlkioDeviceReadBps", "read_bps_device", "rbps"),
    ("BlkioDeviceWriteBps", "write_bps_device", "wbps"),
    ("BlkioDeviceReadIOps", "read_iops_device", "riops"),
    ("BlkioDeviceWriteIOps", "write_iops_device", "wiops"),
):
    for _place in ("Path", "Rate"):
        _rate = [{"Path": _DISK, "Rate": 4096}]
        _both(
            f"{_field}[].{_place}",
            _limit(_rate, f"blkio/blkio.throttle.{_legacy}", "io.max", f"7:0 (4096|.*{_word}=4096.*)"),
            updated=_fixed(_field, _rate),
        )
_both("CpuPeriod", _limit(60000, "cpu/cpu.cfs_period_us", "cpu.max", "(50000 )?60000", CpuQuota=50000))
_both("CpuQuota", _limit(50000, "cpu/cpu.cfs_quota_us", "cpu.max", "50000( 100000)?"))
for _field in ("CpuRealtimePeriod", "CpuRealtimeRuntime", "KernelMemoryTCP"):
    _both(
        _field, Refused(value=1000, status=501, says=f"{_field} "), updated=Refused(value=1000, status=501, says=_field)
    )
_both("CpusetCpus", _limit("0", "cpuset/cpuset.cpus", "cpuset.cpus", "0"))
_both("CpusetMems", _limit("0", "cpuset/cpuset.mems", "cpuset.mems", "0"))
for _place in ("PathOnHost", "PathInContainer", "CgroupPermissions"):
    _devices = [{"PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/told", "CgroupPermissions": "r"}]
    _both(
        f"Devices[].{_place}",
        Obeyed(
            value=_devices,
            command="stat -c %F /dev/told; (: >/dev/told) 2>/dev/null || echo unwritable",
            prints="character special file\nunwritable",
        ),
        updated=_fixed("Devices", _devices),
    )
_both(
    "DeviceCgroupRules",
    Obeyed(value=["c 13:* rwm"], elsewhere="tests/integration/test_cgroup.py: def test_devices_are_filtered"),
    updated=_fixed("DeviceCgroupRules", ["c 13:* rwm"]),
)
for _place in ("Driver", "Count", "DeviceIDs", "Capabilities", "Options"):
    _request = [{"Driver": "nvidia", "Count": -1, "DeviceIDs": ["0"], "Capabilities": [["gpu"]], "Options": {"a": "b"}}]
    _both(
        f"DeviceRequests[].{_place}",
        Refused(value=_request, status=400, says='could not select device driver "nvidia"'),
        updated=_fixed("DeviceRequests", _request),
    )
_both("MemoryReservation", _limit(32 << 20, "memory/memory.soft_limit_in_bytes", "memory.low", "33554432"))
_both(
    "MemorySwap",
    _limit(96 << 20, "memory/memory.memsw.limit_in_bytes", "memory.swap.max", "100663296|33554432", Memory=_64M),
)
_both(
    "MemorySwappiness",
    _limit(17, "memory/memory.swappiness", "memory.swappiness", "17"),
    Refused(value=17, status=501, says="MemorySwappiness"),
    updated=_fixed("MemorySwappiness", 17),
)
_both("NanoCpus", _limit(500_000_000, "cpu/cpu.cfs_quota_us", "cpu.max", "50000( 100000)?"))
_both(
    "OomKillDisable",
    _limit(True, "memory/memory.oom_control", "none", "oom_kill_disable 1\n(.*\n*)*", Memory=_64M),
    Refused(value=True, status=501, says="OomKillDisable", beside={"HostConfig": {"Memory": _64M}}),
    updated=_fixed("OomKillDisable", True),
)
_both(
    "Init",
    Obeyed(value=True, command="tr '\\0' ' ' </proc/1/cmdline | cut -d ' ' -f 1", prints=".*init.*"),
    updated=_fixed("Init", True),
)
_both("PidsLimit", _limit(77, "pids/pids.max", "pids.max", "77"))
for _place in ("Name", "Soft", "Hard"):
    _ulimits = [{"Name": "nofile", "Soft": 100, "Hard": 200}]
    _both(
        f"Ulimits[].{_place}",
        Obeyed(value=_ulimits, command="ulimit -Sn; ulimit -Hn", prints="100\n200"),
        updated=_fixed("Ulimits", _ulimits),
    )
for _field in ("CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth"):
    _both(
        _field,
        Refused(value=1, status=400, says=f"{_field} {_NOT_HERE}"),
        updated=_fixed(_field, 1),
    )
UPDATES["RestartPolicy.Name"] = Obeyed(
    value="always", elsewhere="tests/integration/sessions/limits.session: docker update --restart always bound"
)
UPDATES["RestartPolicy.MaximumRetryCount"] = Obeyed(
    value=3,
    beside={"RestartPolicy": {"Name": "on-failure"}},
    elsewhere="tests/integration/sessions/restart.session: --restart on-failure:2",
)
