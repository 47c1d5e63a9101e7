"""No file that a zone makes has the inode number of a file of its image."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.conformance.storage_pools import open_test_pool
from zonehost.drivers.storage.btrfs.blank import Blank
from zonehost.drivers.storage.btrfs.datasets import BtrfsStorage
from zonehost.drivers.storage.btrfs.pool import Pool, enter_private_mounts
from zonehost.drivers.storage.btrfs.subvolumes import Subvolumes
from zonehost.linux import inotify
from zonehost.linux.inotify import Inotify


@pytest.fixture(scope="module", autouse=True)
def private_mounts() -> None:
    enter_private_mounts()


def _storage(pool: Pool) -> BtrfsStorage:
    subvolumes = Subvolumes(pool.root, pool.descriptor)
    return BtrfsStorage(pool, subvolumes, Blank(pool.root, pool.descriptor, subvolumes))


def _numbers(folder: Path) -> set[int]:
    return {Path(at, name).lstat().st_ino for at, below, files in os.walk(folder) for name in (*below, *files)}


def _make_layer(pool: Pool, name: str, files: int) -> Path:
    layer = pool.root / "layers" / name
    layer.mkdir()
    for number in range(files):
        (layer / str(number)).touch()
    return layer


async def test_numbers_of_a_zone_come_after_those_of_all_layers(tmp_path: Path) -> None:
    with open_test_pool(tmp_path) as pool:
        storage = _storage(pool)
        taken: set[int] = set()
        for zone, files in (("a", 5), ("b", 300), ("c", 0), ("d", 7)):
            taken |= _numbers(_make_layer(pool, zone, files).parent)
            dataset = Path(await storage.create_zone(zone))
            for number in range(20):
                (dataset / "root/upper" / str(number)).touch()
            made = _numbers(dataset / "root") | {(dataset / "root/upper").lstat().st_ino}
            assert len(made) == 22
            assert not made & taken


async def test_numbers_stay_above_after_the_pool_was_mounted_again(tmp_path: Path) -> None:
    with open_test_pool(tmp_path) as pool:
        taken = _numbers(_make_layer(pool, "layer", 50).parent) if _storage(pool) else set()
        await _storage(pool).create_zone("before")
    with open_test_pool(tmp_path) as pool:
        dataset = Path(await _storage(pool).create_zone("after"))
        assert not _numbers(dataset) & taken


async def test_a_zone_of_layers_that_are_known_uses_up_no_numbers(tmp_path: Path) -> None:
    with open_test_pool(tmp_path) as pool:
        storage = _storage(pool)
        layers = _make_layer(pool, "layer", 3).parent
        os.utime(layers, (1, 1))
        await storage.create_zone("first")
        due = _due(layers)
        await storage.create_zone("second")
        await storage.create_zone("third")
        assert _due(layers) == due + 1


async def test_numbers_are_used_up_beside_the_unpacking_of_a_layer(tmp_path: Path) -> None:
    with open_test_pool(tmp_path) as pool:
        blank = Blank(pool.root, pool.descriptor, Subvolumes(pool.root, pool.descriptor))
        tending = asyncio.create_task(blank.tend())
        marks = Inotify()
        marks.add(pool.root / "blank", inotify.MOVED_TO)
        await asyncio.sleep(0)
        taken = _numbers(_make_layer(pool, "layer", 2000))
        async with asyncio.timeout(20):
            await marks.read()
        assert (pool.root / "blank/root").stat().st_ino > max(taken)
        tending.cancel()
        await asyncio.wait([tending])
        marks.close()


def _due(folder: Path) -> int:
    """The next inode number in the folder's subvolume; asking uses it up."""
    fd = os.open(folder, os.O_TMPFILE | os.O_RDWR)
    try:
        return os.fstat(fd).st_ino
    finally:
        os.close(fd)
