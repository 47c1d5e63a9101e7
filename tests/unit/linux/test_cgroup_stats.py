from __future__ import annotations

from pathlib import Path

import pytest

from zonehost.linux import cgroup_stats as stats
from zonehost.linux.cgroup_group import Places

CPU = "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n"


def unified(tmp_path: Path, **files: str) -> Places:
    for name, text in files.items():
        (tmp_path / name.replace("__", ".")).write_text(text)
    return Places(str(tmp_path), dict.fromkeys(("memory", "cpu", "cpuset", "pids", "io"), str(tmp_path)), {})


def legacy(tmp_path: Path, **files: str) -> Places:
    controllers = ("memory", "cpu", "cpuacct", "pids", "blkio")
    for controller in (*controllers, "zone"):
        (tmp_path / controller).mkdir()
    for name, text in files.items():
        controller, _, file = name.partition("__")
        (tmp_path / controller / file.replace("__", ".")).write_text(text)
    return Places(str(tmp_path / "zone"), {}, {controller: f"{tmp_path}/{controller}" for controller in controllers})


def test_unified_cpu_is_nanoseconds(tmp_path: Path) -> None:
    places = unified(tmp_path, cpu__stat=CPU + "nr_periods 7\nnr_throttled 2\nthrottled_usec 9\n")
    assert stats.cpu(places) == stats.Cpu(1_500_000, 1_000_000, 500_000, (), 7, 2, 9_000)


def test_legacy_cpu_takes_throttling_from_the_cpu_hierarchy(tmp_path: Path) -> None:
    places = legacy(
        tmp_path,
        zone__cpu__stat=CPU,
        cpu__cpu__stat="nr_periods 7\nnr_throttled 2\nthrottled_time 9\n",
        cpuacct__cpuacct__usage_percpu="700000 800000 \n",
    )
    assert stats.cpu(places) == stats.Cpu(1_500_000, 1_000_000, 500_000, (700_000, 800_000), 7, 2, 9)


def test_unified_memory(tmp_path: Path) -> None:
    places = unified(
        tmp_path,
        memory__current="4096\n",
        memory__max="8192\n",
        memory__events="low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\n",
        memory__stat="anon 1\ninactive_file 2\n",
    )
    assert stats.memory(places) == stats.Memory(4096, 8192, 0, 2, {"anon": 1, "inactive_file": 2})
    assert stats.oom_kills(places) == 1


def test_no_limit_is_the_machines_memory(tmp_path: Path) -> None:
    places = unified(tmp_path, memory__current="1", memory__max="max\n", memory__events="oom 0\n", memory__stat="")
    assert 1 << 20 < stats.memory(places).limit < 1 << 50


def test_legacy_memory(tmp_path: Path) -> None:
    places = legacy(
        tmp_path,
        memory__memory__usage_in_bytes="4096\n",
        memory__memory__limit_in_bytes="8192\n",
        memory__memory__max_usage_in_bytes="5000\n",
        memory__memory__failcnt="3\n",
        memory__memory__stat="cache 1\ntotal_inactive_file 2\n",
    )
    assert stats.memory(places) == stats.Memory(4096, 8192, 5000, 3, {"cache": 1, "total_inactive_file": 2})


def test_legacy_oom_kills_of_inner_groups_count(tmp_path: Path) -> None:
    places = legacy(tmp_path, memory__memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    inner = tmp_path / "memory" / "inner"
    inner.mkdir()
    (inner / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert stats.oom_kills(places) == 3


@pytest.mark.parametrize(("text", "limit"), [("max\n", 0), ("12\n", 12)])
def test_pids(tmp_path: Path, text: str, limit: int) -> None:
    assert stats.pids(unified(tmp_path, pids__current="3\n", pids__max=text)) == stats.Pids(3, limit)


def test_unified_block(tmp_path: Path) -> None:
    places = unified(tmp_path, io__stat="8:16 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n7:0 \n")
    assert stats.block(places) == stats.Block(
        ((8, 16, "read", 10), (8, 16, "write", 20), (7, 0, "read", 0), (7, 0, "write", 0)),
        ((8, 16, "read", 1), (8, 16, "write", 2), (7, 0, "read", 0), (7, 0, "write", 0)),
    )


def test_legacy_block_leaves_the_sums_out(tmp_path: Path) -> None:
    lines = "8:0 Read 5\n8:0 Write 6\n8:0 Sync 11\n8:0 Total 11\nTotal 11\n"
    places = legacy(
        tmp_path,
        blkio__blkio__throttle__io_service_bytes_recursive=lines,
        blkio__blkio__throttle__io_serviced_recursive="Total 0\n",
    )
    assert stats.block(places) == stats.Block(((8, 0, "read", 5), (8, 0, "write", 6)), ())


def test_what_no_controller_counts_is_zero(tmp_path: Path) -> None:
    places = Places(str(tmp_path), {}, {})
    assert stats.pids(places) == stats.Pids(0, 0)
    assert stats.block(places) == stats.Block((), ())
    assert stats.oom_kills(places) == 0


def test_a_group_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        stats.cpu(Places(str(tmp_path / "gone"), {}, {}))
