from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from zonehost.linux.cgroup_apply import apply
from zonehost.linux.cgroup_group import Places
from zonehost.linux.cgroup_limits import DeviceValue, Limits, Refused, Setting, Unenforceable
from zonehost.linux.cgroup_limits_legacy import cpu as legacy_cpu
from zonehost.linux.cgroup_limits_legacy import memory as legacy_memory
from zonehost.linux.cgroup_limits_unified import weight_of_shares

UNIFIED_FILES = (
    "memory.max memory.swap.max memory.low cpu.weight cpu.max cpuset.cpus cpuset.mems pids.max io.bfq.weight io.max"
)
LEGACY_FILES = {
    "memory": "memory.limit_in_bytes memory.memsw.limit_in_bytes memory.soft_limit_in_bytes memory.swappiness "
    "memory.oom_control",
    "cpu": "cpu.shares cpu.cfs_quota_us cpu.cfs_period_us",
    "cpuset": "cpuset.cpus cpuset.mems",
    "pids": "pids.max",
    "blkio": "blkio.bfq.weight blkio.bfq.weight_device blkio.throttle.read_bps_device blkio.throttle.write_iops_device",
}
GIB = 1 << 30


class Tree:
    """A folder with control files, which keep what was written last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.block = path / "block"
        self.block.mkdir()

    def unified(self) -> Places:
        zone = self.path / "zonehost/i1/z1/zone"
        zone.mkdir(parents=True)
        for name in UNIFIED_FILES.split():
            (zone / name).write_text("")
        for level in list(zone.parents)[:3]:
            (level / "memory.low").write_text("0")
        return Places(str(zone), dict.fromkeys(("memory", "cpu", "cpuset", "pids", "io"), str(zone)), {})

    def legacy(self) -> Places:
        for controller, names in LEGACY_FILES.items():
            group = self.path / controller / "id"
            group.mkdir(parents=True)
            for name in names.split():
                (group / name).write_text("")
        (self.path / "memory/id/memory.memsw.limit_in_bytes").write_text("9000000000")
        for name, value in (("cpuset.cpus", "0-7"), ("cpuset.mems", "0")):
            (self.path / "cpuset" / name).write_text(value + "\n")
        return Places(str(self.path), {}, {controller: f"{self.path}/{controller}/id" for controller in LEGACY_FILES})

    def use_bfq(self) -> None:
        (self.block / "sda/queue").mkdir(parents=True)
        (self.block / "sda/queue/scheduler").write_text("none [bfq]\n")

    def written(self) -> dict[str, str]:
        """Of the files in the zone's own groups that are not empty."""
        own = [path for path in self.path.rglob("*.*") if path.is_file() and path.parent.name in ("zone", "id")]
        return {path.name: path.read_text() for path in own if path.read_text()}

    def protections(self) -> dict[str, int]:
        return {path.parent.name: int(path.read_text() or 0) for path in self.path.rglob("memory.low")}


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    yield Tree(tmp_path)


def test_unified_writes_only_what_is_asked_into_a_fresh_group(tree: Tree) -> None:
    apply(Limits(memory=GIB, pids=100), tree.unified(), fresh=True)
    assert tree.written() == {"memory.max": str(GIB), "pids.max": "100"}


def test_unified_swap_is_the_part_above_memory(tree: Tree) -> None:
    apply(Limits(memory=GIB, memory_swap=3 * GIB, memory_reservation=4096), tree.unified(), fresh=True)
    assert tree.written() == {"memory.max": str(GIB), "memory.swap.max": str(2 * GIB), "memory.low": "4096"}


def test_unified_reservation_is_shared_out_from_above(tree: Tree) -> None:
    places = tree.unified()
    for level in ("i1", "zonehost"):
        next(tree.path.rglob(level), tree.path).joinpath("memory.low").write_text("5000")
    apply(Limits(memory_reservation=4096), places, fresh=True)
    assert tree.protections() == {"zone": 4096, "z1": 4096, "i1": 9096, "zonehost": 9096}


def test_unified_reservation_may_change(tree: Tree) -> None:
    places = tree.unified()
    apply(Limits(memory_reservation=4096), places, fresh=True)
    apply(Limits(memory_reservation=1024), places, fresh=False)
    assert tree.protections() == {"zone": 1024, "z1": 1024, "i1": 1024, "zonehost": 1024}
    apply(Limits(memory_reservation=2048), places, fresh=False)
    assert set(tree.protections().values()) == {2048}


def test_unified_cpu(tree: Tree) -> None:
    limits = Limits(cpu_quota=50_000, cpu_period=20_000, cpu_shares=1024, cpuset_cpus="0,3", cpuset_mems="0")
    apply(limits, tree.unified(), fresh=True)
    assert tree.written() == {
        "cpu.max": "50000 20000",
        "cpu.weight": "100",
        "cpuset.cpus": "0,3",
        "cpuset.mems": "0",
    }


def test_unified_period_without_quota(tree: Tree) -> None:
    apply(Limits(cpu_period=20_000), tree.unified(), fresh=True)
    assert tree.written() == {"cpu.max": "max 20000"}


def test_unified_takes_earlier_limits_back(tree: Tree) -> None:
    apply(Limits(pids=5), tree.unified(), fresh=False)
    assert tree.written() == {
        "memory.max": "max",
        "memory.swap.max": "max",
        "memory.low": "0",
        "cpu.weight": "100",
        "cpu.max": "max 100000",
        "cpuset.cpus": "\n",
        "cpuset.mems": "\n",
        "pids.max": "5",
        "io.bfq.weight": "100",
    }


def test_unified_device_rate(tree: Tree) -> None:
    apply(Limits(blkio_write_iops=(DeviceValue(8, 16, 500),)), tree.unified(), fresh=True)
    assert tree.written() == {"io.max": "8:16 wiops=500"}


@pytest.mark.parametrize("limits", [Limits(memory_swappiness=0), Limits(oom_kill_disable=True)])
def test_unified_refuses_what_only_v1_had(tree: Tree, limits: Limits) -> None:
    with pytest.raises(Unenforceable) as refusal:
        apply(limits, tree.unified(), fresh=True)
    assert getattr(limits, refusal.value.limit) != getattr(Limits(), refusal.value.limit)


def test_legacy_writes(tree: Tree) -> None:
    limits = Limits(memory=GIB, memory_swap=2 * GIB, memory_swappiness=0, oom_kill_disable=True, cpu_shares=512)
    apply(limits, tree.legacy(), fresh=True)
    written = tree.written()
    assert {name: value for name, value in written.items() if "cpuset" not in name} == {
        "memory.limit_in_bytes": str(GIB),
        "memory.memsw.limit_in_bytes": str(2 * GIB),
        "memory.swappiness": "0",
        "memory.oom_control": "1",
        "cpu.shares": "512",
    }


def test_legacy_cpuset_goes_back_to_the_parents(tree: Tree) -> None:
    places = tree.legacy()
    apply(Limits(), places, fresh=False)
    assert Path(places.legacy["cpuset"], "cpuset.cpus").read_text() == "0-7"


@pytest.mark.parametrize(
    ("now", "limits", "first"),
    [
        (2 * GIB, Limits(memory=GIB, memory_swap=4 * GIB), "memory_swap"),
        (8 * GIB, Limits(memory=GIB, memory_swap=4 * GIB), "memory"),
        (8 * GIB, Limits(memory=GIB), "memory_swap"),
    ],
)
def test_legacy_memory_never_exceeds_memory_with_swap(tree: Tree, now: int, limits: Limits, first: str) -> None:
    group = tree.legacy().legacy["memory"]
    Path(group, "memory.memsw.limit_in_bytes").write_text(str(now))
    order = [setting.limit for setting in legacy_memory(limits, group, "")]
    assert order[0] == first


def test_legacy_quota_is_lifted_before_the_period_changes() -> None:
    quota = [step for step in legacy_cpu(Limits(cpu_quota=1000, cpu_period=2000), "g", "") if "shares" not in step.path]
    assert quota == [
        Setting("cpu_quota", "g/cpu.cfs_quota_us", "-1", wanted=False),
        Setting("cpu_period", "g/cpu.cfs_period_us", "2000"),
        Setting("cpu_quota", "g/cpu.cfs_quota_us", "1000"),
    ]


def test_a_weight_without_bfq_is_refused(tree: Tree) -> None:
    with pytest.raises(Unenforceable, match="bfq"):
        apply(Limits(blkio_weight=500), tree.unified(), fresh=True, block=str(tree.block))


def test_a_weight_with_bfq(tree: Tree) -> None:
    tree.use_bfq()
    apply(Limits(blkio_weight=500), tree.unified(), fresh=True, block=str(tree.block))
    assert tree.written()["io.bfq.weight"] == "500"


def test_a_missing_file_is_refused_by_name(tree: Tree) -> None:
    places = tree.unified()
    Path(places.zone, "memory.swap.max").unlink()
    with pytest.raises(Unenforceable) as refusal:
        apply(Limits(memory=GIB, memory_swap=GIB), places, fresh=True)
    assert refusal.value.limit == "memory_swap"


def test_a_missing_file_does_not_matter_to_a_limit_that_is_not_asked_for(tree: Tree) -> None:
    places = tree.unified()
    Path(places.zone, "memory.swap.max").unlink()
    apply(Limits(memory=GIB), places, fresh=False)
    assert tree.written()["memory.max"] == str(GIB)


def test_a_missing_controller_is_refused_by_name(tree: Tree) -> None:
    places = Places(str(tree.path), {}, {})
    with pytest.raises(Unenforceable, match="no cgroup controller pids"):
        apply(Limits(pids=1), places, fresh=True)


def test_a_group_that_is_gone(tree: Tree) -> None:
    gone = str(tree.path / "gone")
    with pytest.raises(FileNotFoundError):
        apply(Limits(pids=1), Places(gone, {"pids": gone}, {}), fresh=True)


def test_a_value_that_the_kernel_refuses(tree: Tree) -> None:
    places = tree.unified()
    full = Path(places.zone, "pids.max")
    full.unlink()
    full.symlink_to("/dev/full")
    with pytest.raises(Refused) as refusal:
        apply(Limits(pids=1), places, fresh=True)
    assert refusal.value.limit == "pids"


@pytest.mark.parametrize(
    ("shares", "weight"), [(1, 1), (2, 1), (512, 59), (1024, 100), (2048, 174), (262144, 10000), (999999, 10000)]
)
def test_weight_of_shares(shares: int, weight: int) -> None:
    assert weight_of_shares(shares) == weight
