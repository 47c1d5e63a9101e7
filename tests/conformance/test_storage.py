"""The suite of the storage port, on every driver."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.storage_pools import btrfs, directory
from tests.unit.linux.test_tree_removal import dig
from zonehost.drivers.storage.btrfs.pool import enter_private_mounts
from zonehost.errors import InvalidParameter, SystemFailure, Unsupported
from zonehost.linux.tree_removal import remove_tree
from zonehost.ports.storage import Storage

MIB = 1 << 20


@pytest.fixture(scope="module", autouse=True)
def private_mounts() -> None:
    """A pool is mounted where only this process sees it."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    enter_private_mounts()


@pytest.fixture(params=[directory, btrfs], ids=["directory", "btrfs"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    with request.param(tmp_path) as storage:
        yield storage


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Storage]:
    with btrfs(tmp_path) as storage:
        yield storage


async def test_a_zone_has_its_places_and_making_it_again_changes_nothing(storage: Storage) -> None:
    path = Path(await storage.create_zone("a"))
    (path / "root/upper/file").write_text("kept")
    assert await storage.create_zone("a") == str(path) == storage.zone_path("a")
    assert (path / "root/upper/file").read_text() == "kept"
    assert {entry.name for entry in path.iterdir()} == {"root", "etc", "log"}
    assert (path / "root/upper").stat().st_mode & 0o777 == 0o755


async def test_the_files_in_etc_are_written_and_replaced(storage: Storage) -> None:
    path = Path(await storage.create_zone("a"))
    await storage.write_etc("a", {"hosts": "one\n", "hostname": "a\n"})
    await storage.write_etc("a", {"hosts": "two\n"})
    assert (path / "etc/hosts").read_text() == "two\n"
    assert (path / "etc/hostname").read_text() == "a\n"


async def test_a_deep_tree_in_a_dataset_is_removed_whole(storage: Storage) -> None:
    content = Path(await storage.create_volume("v", options={}))
    dig(content / "top")
    remove_tree(content / "top")
    assert not list(content.iterdir())


@pytest.mark.parametrize("name", ["", "..", "../v", "{elsewhere}"])
async def test_no_name_leads_out_of_the_pool(storage: Storage, tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "_data").mkdir(parents=True)
    name = name.format(elsewhere=elsewhere)
    for call in (
        storage.create_zone(name),
        storage.remove_zone(name),
        storage.create_volume(name, options={}),
        storage.remove_volume(name),
    ):
        with pytest.raises(SystemFailure, match="is no name of a dataset"):
            await call
    assert [entry.name for entry in elsewhere.iterdir()] == ["_data"]


async def test_a_volume_has_its_content_where_the_port_says(storage: Storage) -> None:
    path = Path(await storage.create_volume("v", options={}))
    (path / "file").write_text("kept")
    assert await storage.create_volume("v", options={}) == str(path) == storage.volume_path("v")
    assert (path / "file").read_text() == "kept"


async def test_removal_is_complete_and_may_be_repeated(storage: Storage) -> None:
    zone = Path(await storage.create_zone("a"))
    (zone / "root/upper/deep/er").mkdir(parents=True)
    await storage.create_volume("v", options={})
    assert await storage.survey() == (frozenset({"a"}), frozenset({"v"}))
    for _ in range(2):
        await storage.remove_zone("a")
        await storage.remove_volume("v")
    assert await storage.survey() == (frozenset(), frozenset())
    assert not zone.exists()


async def test_usage_counts_what_is_written_and_leaves_out_what_is_gone(storage: Storage) -> None:
    zone, volume = Path(await storage.create_zone("a")), Path(await storage.create_volume("v", options={}))
    for place in (zone / "root/upper", volume):
        with (place / "file").open("wb") as file:
            file.write(os.urandom(3 * MIB))
            os.fsync(file.fileno())
    os.sync()
    for usage in (await storage.zone_usage(["a", "gone"]), await storage.volume_usage(["v", "gone"])):
        (used,) = usage.values()
        assert 3 * MIB <= used.used < 4 * MIB
        assert used.quota == 0


async def test_an_unknown_option_of_a_volume_is_refused_and_leaves_nothing(storage: Storage) -> None:
    with pytest.raises(InvalidParameter, match="colour"):
        await storage.create_volume("v", options={"colour": "red"})
    assert (await storage.survey())[1] == frozenset()


async def test_a_directory_refuses_what_it_cannot_do_by_name(tmp_path: Path) -> None:
    with directory(tmp_path) as storage:
        with pytest.raises(Unsupported, match="size"):
            await storage.create_zone("a", quota=MIB)
        with pytest.raises(Unsupported, match="size"):
            await storage.create_volume("v", options={"size": "1m"})


async def test_a_quota_bounds_root_and_log_together(pool: Storage) -> None:
    zone = Path(await pool.create_zone("a", quota=8 * MIB))
    assert (await pool.zone_usage(["a"]))["a"].quota == 8 * MIB
    written = fill(zone / "log/log", 3 * MIB) + fill(zone / "root/upper/file", 64 * MIB)
    assert 7 * MIB <= written <= 8 * MIB


async def test_a_quota_bounds_a_volume_and_its_neighbour_feels_nothing(pool: Storage) -> None:
    small = Path(await pool.create_volume("small", options={"size": "4m"}))
    other = Path(await pool.create_volume("other", options={}))
    assert fill(small / "file", 64 * MIB) <= 4 * MIB
    assert fill(other / "file", 6 * MIB) == 6 * MIB


def fill(path: Path, size: int) -> int:
    """Write up to so many bytes; how many the file system took."""
    written = 0
    with path.open("wb", buffering=0) as file:
        try:
            while written < size:
                written += file.write(os.urandom(MIB // 4))
            os.fsync(file.fileno())
        except OSError:
            return written
    return written


async def test_files_of_a_volume_without_copies_are_written_in_place(pool: Storage) -> None:
    usual = Path(await pool.create_volume("usual", options={}))
    plain = Path(await pool.create_volume("plain", options={"nodatacow": "true"}))
    for place in (usual, plain):
        (place / "file").write_bytes(os.urandom(MIB))
    # FS_IOC_GETFLAGS, and FS_NOCOW_FL of include/uapi/linux/fs.h
    flags = []
    for place in (usual, plain):
        answer = bytearray(4)
        with (place / "file").open() as file:
            fcntl.ioctl(file, 0x80086601, answer)
        flags.append(bool(int.from_bytes(answer, "little") & 0x00800000))
    assert flags == [False, True]
    with pytest.raises(InvalidParameter, match="neither true nor false"):
        await pool.create_volume("v", options={"nodatacow": "on"})
