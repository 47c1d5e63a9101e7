"""A zone's groups in folders that imitate a pure v2 tree; the kernel's own is in tests/integration/test_cgroup.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from zonehost.errors import InvalidParameter
from zonehost.linux.cgroup import Hierarchies
from zonehost.linux.cgroup_group import Instance, Part

ALL = frozenset({"cpu", "cpuset", "io", "memory", "pids"})
DOWN = "+cpu +cpuset +io +memory +pids"


def imitate(root: Path, path: str) -> list[Path]:
    """Make the group and those above it as the kernel would; the files in which controllers are handed down."""
    levels = [root, *(root / below for below in reversed([Path(path), *Path(path).parents][:-1]))]
    files = []
    for level in levels:
        level.mkdir(exist_ok=True)
        (level / "cgroup.subtree_control").write_text("")
        (level / "memory.low").write_text("0")
        files.append(level / "cgroup.subtree_control")
    return files


def test_controllers_are_handed_down_to_the_two_parts(tmp_path: Path) -> None:
    files = imitate(tmp_path, "zonehost/i1/z1")
    instance = Instance(Hierarchies(str(tmp_path), ALL, {}), "i1")
    instance.prepare()
    group = instance.group("z1")
    group.create()
    assert [file.read_text() for file in files] == [DOWN] * 4
    assert {path.name for path in (tmp_path / "zonehost/i1/z1").iterdir() if path.is_dir()} == {"zone", "keeper"}
    assert instance.zones() == {"z1"}


def test_places_are_all_in_the_zones_part(tmp_path: Path) -> None:
    group = Instance(Hierarchies(str(tmp_path), ALL, {}), "i1").group("z1")
    assert group.part(Part.ZONE) == f"{tmp_path}/zonehost/i1/z1/zone"
    assert group.places.unified == dict.fromkeys(ALL, group.part(Part.ZONE))
    assert group.places.legacy == {}


def test_without_controllers_nothing_is_handed_down(tmp_path: Path) -> None:
    files = imitate(tmp_path, "zonehost/i1/z1")
    Instance(Hierarchies(str(tmp_path), frozenset(), {}), "i1").group("z1").create()
    assert [file.read_text() for file in files] == [""] * 4


def test_protection_is_counted_anew(tmp_path: Path) -> None:
    for zone, low in (("z1", "300"), ("z2", "40")):
        imitate(tmp_path, f"zonehost/i1/{zone}")
        (tmp_path / f"zonehost/i1/{zone}/memory.low").write_text(low)
    (tmp_path / "zonehost/i1/memory.low").write_text("999")
    Instance(Hierarchies(str(tmp_path), ALL, {}), "i1").prepare()
    assert (tmp_path / "zonehost/i1/memory.low").read_text() == "340"
    assert (tmp_path / "zonehost/memory.low").read_text() == "340"


def test_a_parent_of_ones_own(tmp_path: Path) -> None:
    imitate(tmp_path, "my.slice/zonehost/i1/z1")
    instance = Instance(Hierarchies(str(tmp_path), ALL, {}), "i1", "/my.slice/")
    instance.prepare()
    assert instance.group("z1").unified == f"{tmp_path}/my.slice/zonehost/i1/z1"


def test_a_parent_must_not_climb(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter):
        Instance(Hierarchies(str(tmp_path), ALL, {}), "i1", "a/../../b")


def test_zones_of_other_instances_are_not_listed(tmp_path: Path) -> None:
    for path in ("zonehost/i1/z1", "zonehost/i2/z2", "zonehost/i1/z3"):
        (tmp_path / path).mkdir(parents=True)
    assert Instance(Hierarchies(str(tmp_path), ALL, {}), "i1").zones() == {"z1", "z3"}
    assert Instance(Hierarchies(str(tmp_path), ALL, {}), "i3").zones() == set()
