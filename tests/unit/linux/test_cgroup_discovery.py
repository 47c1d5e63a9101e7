from __future__ import annotations

from pathlib import Path

import pytest

from zonehost.errors import Unavailable
from zonehost.linux.cgroup import discover

HYBRID = """\
31 23 0:28 / {root} rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / {root}/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
33 31 0:31 / {root}/cpuset rw,relatime shared:9 - cgroup cgroup rw,cpuset
34 31 0:32 / {root}/memory rw,relatime - cgroup cgroup rw,memory
35 31 0:36 / {root}/pids rw,relatime - cgroup cgroup rw,pids
36 31 0:35 / {root}/blkio rw,relatime - cgroup cgroup rw,blkio
37 31 0:37 / {root}/systemd rw,relatime - cgroup cgroup rw,name=systemd
38 31 0:38 / {root}/unified rw,relatime - cgroup2 cgroup2 rw
39 31 0:32 /docker/abc /mnt/memory rw,relatime - cgroup cgroup rw,memory
"""
PURE = "30 24 0:26 / {root} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"


def table(tmp_path: Path, text: str, controllers: dict[str, str]) -> str:
    for directory, offered in controllers.items():
        (tmp_path / directory).mkdir(parents=True, exist_ok=True)
        (tmp_path / directory / "cgroup.controllers").write_text(offered + "\n")
    path = tmp_path / "mountinfo"
    path.write_text(text.format(root=tmp_path))
    return str(path)


def test_hybrid_controllers_are_in_v1(tmp_path: Path) -> None:
    found = discover(table(tmp_path, HYBRID, {"unified": "hugetlb"}))
    assert found.unified == f"{tmp_path}/unified"
    assert found.controllers == frozenset()
    assert found.legacy == {
        "cpu": f"{tmp_path}/cpu,cpuacct",
        "cpuacct": f"{tmp_path}/cpu,cpuacct",
        "cpuset": f"{tmp_path}/cpuset",
        "blkio": f"{tmp_path}/blkio",
        "memory": f"{tmp_path}/memory",
        "pids": f"{tmp_path}/pids",
    }


def test_a_shared_hierarchy_is_one_root(tmp_path: Path) -> None:
    roots = discover(table(tmp_path, HYBRID, {"unified": ""})).roots
    assert roots[0] == f"{tmp_path}/unified"
    assert len(roots) == len(set(roots)) == 7


def test_hierarchies_that_bound_nothing_are_known_too(tmp_path: Path) -> None:
    found = discover(table(tmp_path, HYBRID, {"unified": ""}))
    assert found.further == (f"{tmp_path}/systemd",)


def test_a_controller_offered_by_v2_is_not_looked_for_in_v1(tmp_path: Path) -> None:
    found = discover(table(tmp_path, HYBRID, {"unified": "memory pids"}))
    assert found.controllers == {"memory", "pids"}
    assert not {"memory", "pids"} & found.legacy.keys()


def test_pure_v2(tmp_path: Path) -> None:
    found = discover(table(tmp_path, PURE, {".": "cpuset cpu io memory hugetlb pids rdma"}))
    assert (found.unified, found.legacy) == (str(tmp_path), {})
    assert found.controllers == {"cpu", "cpuset", "io", "memory", "pids"}
    assert found.roots == (str(tmp_path),)


def test_a_mount_point_with_a_space(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "cgroup.controllers").write_text("pids")
    path = tmp_path / "mountinfo"
    path.write_text(rf"30 24 0:26 / {tmp_path}/a\040b rw - cgroup2 none rw" + "\n")
    assert discover(str(path)).unified == f"{tmp_path}/a b"


def test_without_a_v2_tree_the_cure_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mountinfo"
    path.write_text("32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n")
    with pytest.raises(Unavailable, match="mount -t cgroup2"):
        discover(str(path))
