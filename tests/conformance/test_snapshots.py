"""The suite of the snapshots port, on the real pool."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conformance.storage_pools import open_test_pool
from zonehost.domain.sending import Position
from zonehost.domain.snapshot import Dataset
from zonehost.drivers.storage.btrfs.blank import Blank
from zonehost.drivers.storage.btrfs.datasets import BtrfsStorage
from zonehost.drivers.storage.btrfs.pool import Pool, enter_private_mounts
from zonehost.drivers.storage.btrfs.snapshots import BtrfsSnapshots
from zonehost.drivers.storage.btrfs.subvolumes import Subvolumes
from zonehost.errors import InvalidParameter
from zonehost.linux import btrfs
from zonehost.linux.forkserver import ForkServer
from zonehost.ports.snapshots import Intake, PathChange

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
VOLUME = Dataset("volume", "vol")
TRANSFER = "ab" * 32
BEGIN = Position()
MIB = 1 << 20


class World:
    """A pool with its storage and its snapshots."""

    def __init__(self, pool: Pool, forks: ForkServer) -> None:
        self.subvolumes = Subvolumes(pool.root, pool.descriptor)
        blank = Blank(pool.root, pool.descriptor, self.subvolumes)
        self.storage = BtrfsStorage(pool, self.subvolumes, blank)
        self.snapshots = BtrfsSnapshots(pool, self.subvolumes, blank, forks)
        self.root = pool.root

    def place(self, dataset: Dataset) -> Path:
        """Where the pool has it."""
        return self.root / f"{dataset.kind}s" / dataset.name


@pytest.fixture(scope="module", autouse=True)
def private_mounts() -> None:
    enter_private_mounts()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    with open_test_pool(tmp_path) as pool:
        forks = ForkServer()
        forks.start()
        world = World(pool, forks)
        yield world
        world.subvolumes.settle(world.place(VOLUME))
        await forks.close()


async def test_a_snapshot_keeps_what_was_written_and_a_rollback_brings_it_back(world: World) -> None:
    file = Path(await world.storage.create_volume("vol", options={"size": "9m"})) / "file"
    file.write_text("one")
    await world.snapshots.take("s1", [VOLUME])
    file.write_text("two")
    await world.snapshots.take("s2", [VOLUME])
    file.write_text("three")
    for _ in range(2):
        await world.snapshots.restore("s1", [VOLUME])
        assert file.read_text() == "one"
    await world.snapshots.restore("s2", [VOLUME])
    assert file.read_text() == "two"
    world.subvolumes.settle(world.place(VOLUME))
    assert list((world.root / "staging").iterdir()) == []
    assert (await world.storage.volume_usage(["vol"]))["vol"].quota == 9 * MIB


async def test_what_a_rollback_displaced_is_gone_with_the_dataset(world: World) -> None:
    file = Path(await world.storage.create_volume("vol", options={})) / "file"
    file.write_bytes(os.urandom(MIB))
    await world.snapshots.take("s1", (VOLUME,))
    for _ in range(3):
        await world.snapshots.restore("s1", (VOLUME,))
    await world.storage.remove_volume("vol")
    assert list((world.root / "staging").iterdir()) == []


@contextmanager
def frozen(root: Path) -> Iterator[Callable[[], None]]:
    """A pool in which every change waits until the function is called; or for 20 s, which is a failure."""
    script = f"read -t 20; asked=$?; fsfreeze --unfreeze {root}; [ $asked -le 1 ]"
    with subprocess.Popen(["bash", "-c", script], stdin=subprocess.PIPE) as watch:
        assert watch.stdin is not None
        subprocess.run(["fsfreeze", "--freeze", root], check=True)
        yield watch.stdin.close
        assert watch.wait() == 0, "nothing else ran until the pool was thawed by itself"


async def test_nothing_else_waits_while_the_kernel_destroys_a_dataset(world: World) -> None:
    await world.storage.create_volume("vol", options={})
    with frozen(world.root) as thaw:
        removing = asyncio.create_task(world.storage.remove_volume("vol"))
        await asyncio.sleep(0.1)
        thaw()
        await removing


async def test_a_limit_holds_after_a_rollback(world: World) -> None:
    volume = Path(await world.storage.create_volume("vol", options={"size": "4m"}))
    await world.snapshots.take("s1", [VOLUME])
    await world.snapshots.restore("s1", [VOLUME])
    with pytest.raises(OSError, match="quota"), (volume / "file").open("wb", buffering=0) as file:
        for _ in range(64):
            file.write(os.urandom(MIB // 4))


async def test_a_clone_is_private_and_has_its_own_limit(world: World) -> None:
    source = Path(await world.storage.create_volume("vol", options={}))
    (source / "file").write_bytes(os.urandom(3 * MIB))
    await world.snapshots.clone("", VOLUME, Dataset("volume", "two"), quota=2 * MIB)
    copy = Path(world.storage.volume_path("two"))
    assert (copy / "file").read_bytes() == (source / "file").read_bytes()
    (copy / "file").write_text("mine")
    assert (source / "file").stat().st_size == 3 * MIB
    with pytest.raises(OSError, match="quota"), (copy / "more").open("wb", buffering=0) as file:
        for _ in range(16):
            file.write(os.urandom(MIB // 4))


async def test_a_clone_of_a_zone_has_its_files_and_an_empty_log(world: World) -> None:
    zone = Path(await world.storage.create_zone("aa"))
    (zone / "root/upper/file").write_text("kept")
    (zone / "log/log").write_text("told")
    await world.snapshots.take("s1", [Dataset("zone", "aa")])
    await world.snapshots.clone("s1", Dataset("zone", "aa"), Dataset("zone", "bb"))
    clone = Path(world.storage.zone_path("bb"))
    assert (clone / "root/upper/file").read_text() == "kept"
    assert list((clone / "log").iterdir()) == []


async def test_a_comparison_names_what_was_added_changed_and_deleted(world: World) -> None:
    volume = Path(await world.storage.create_volume("vol", options={}))
    for name in ("same", "changed", "deleted"):
        (volume / name).write_text("text")
    (volume / "folder").mkdir()
    await world.snapshots.take("s1", [VOLUME])
    (volume / "changed").write_text("TEXT")
    (volume / "deleted").unlink()
    (volume / "folder" / "new").write_text("")
    await world.snapshots.take("s2", [VOLUME])
    (volume / "later").write_text("")
    wanted = (
        PathChange("/changed", "changed"),
        PathChange("/deleted", "deleted"),
        PathChange("/folder", "changed"),
        PathChange("/folder/new", "added"),
    )
    assert await world.snapshots.compare("s1", "s2", VOLUME) == wanted
    assert await world.snapshots.compare("s1", "", VOLUME) == (*wanted, PathChange("/later", "added"))


async def test_a_base_is_made_once_and_cloned_often(world: World) -> None:
    folder = Path(await world.snapshots.begin_base("key"))
    (folder / "file").write_text("base")
    assert await world.snapshots.bases() == frozenset()
    await world.snapshots.finish_base("key")
    assert await world.snapshots.bases() == {"key"}
    for name in ("one", "two"):
        await world.snapshots.clone_base("key", name)
        assert (Path(world.storage.volume_path(name)) / "file").read_text() == "base"
    await world.snapshots.remove_base("key")
    assert await world.snapshots.bases() == frozenset()
    assert (Path(world.storage.volume_path("one")) / "file").read_text() == "base"


async def test_removal_is_complete_and_may_be_repeated(world: World) -> None:
    await world.storage.create_volume("vol", options={})
    await world.snapshots.take("s1", [VOLUME])
    assert await world.snapshots.survey() == {"s1"}
    for _ in range(2):
        await world.snapshots.remove("s1")
    assert await world.snapshots.survey() == frozenset()


async def test_what_is_made_inside_a_dataset_goes_with_it(world: World) -> None:
    volume = Path(await world.storage.create_volume("vol", options={}))
    world.subvolumes.create(volume / "inner")
    world.subvolumes.create(volume / "inner" / "most")
    await world.storage.remove_volume("vol")
    assert (await world.storage.survey())[1] == frozenset()


async def sent(world: World, position: Position = BEGIN, base: str = "") -> bytes:
    """The frames of the snapshot s2."""
    output = os.memfd_create("stream")
    await world.snapshots.send("s2", [VOLUME], output, base=base, position=position)
    data = os.pread(output, 1 << 26, 0)
    os.close(output)
    return data


async def taken_in(world: World, data: bytes, position: Position = BEGIN, base: str = "") -> Intake:
    source = os.memfd_create("stream")
    os.write(source, data)
    os.lseek(source, 0, os.SEEK_SET)
    try:
        return await world.snapshots.receive(TRANSFER, source, [(base, VOLUME) if base else None], position)
    finally:
        os.close(source)


def listing(top: Path) -> list[tuple[str, int, bytes]]:
    return sorted(
        (str(path.relative_to(top)), path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in top.rglob("*")
    )


@pytest.mark.parametrize("base", ["", "s1"], ids=["whole", "difference"])
async def test_a_stream_that_is_cut_anywhere_is_continued(world: World, base: str) -> None:
    volume = Path(await world.storage.create_volume("vol", options={}))
    (volume / "early").write_bytes(os.urandom(MIB))
    await world.snapshots.take("s1", [VOLUME])
    for number in range(20):
        (volume / f"file{number}").write_bytes(os.urandom(number * 20_000))
    (volume / "early").rename(volume / "late")
    await world.snapshots.take("s2", [VOLUME])
    whole = await sent(world, base=base)
    assert await world.snapshots.measure("s2", [VOLUME], base) == pytest.approx(len(whole), rel=0.02)
    wanted = listing(volume)
    for cut in (
        0,
        1,
        9,
        10,
        27,
        *range(1000, len(whole), len(whole) // 4),
        *(len(whole) - left for left in (10, 1)),
    ):
        position, data = BEGIN, whole[:cut]
        for _ in range(2):
            intake = await taken_in(world, data, position, base)
            assert "cut" in intake.trouble
            position = intake.position
            data = (await sent(world, position, base))[: -len(whole) // 7]
        assert await world.snapshots.transfers() == {TRANSFER}
        intake = await taken_in(world, await sent(world, position, base), position, base)
        assert intake == Intake(Position(1), "")
        await world.snapshots.publish(TRANSFER, "s3", [VOLUME])
        assert listing(world.root / "snapshots/s3/volume.vol/_data") == wanted
        await world.snapshots.remove("s3")
        assert await world.snapshots.transfers() == frozenset()


async def test_a_stream_is_not_continued_from_another_one(world: World) -> None:
    volume = Path(await world.storage.create_volume("vol", options={}))
    (volume / "file").write_bytes(os.urandom(3 * MIB))
    await world.snapshots.take("s2", [VOLUME])
    position = (await taken_in(world, (await sent(world))[: 2 * MIB])).position
    await world.snapshots.remove("s2")
    (volume / "file").write_bytes(os.urandom(3 * MIB))
    await world.snapshots.take("s2", [VOLUME])
    with pytest.raises(InvalidParameter, match="send it anew"):
        await sent(world, position)


async def test_groups_go_with_what_they_counted(world: World) -> None:
    before = world.subvolumes.usage().keys()
    for name in ("vol", "other"):
        volume = Path(await world.storage.create_volume(name, options={"size": "9m"}))
        (volume / "file").write_bytes(os.urandom(MIB))
    await world.snapshots.take("s1", [VOLUME])
    await world.snapshots.restore("s1", [VOLUME])
    await world.snapshots.remove("s1")
    for name in ("vol", "other"):
        await world.storage.remove_volume(name)
    descriptor = os.open(world.root, os.O_RDONLY)
    until = time.monotonic() + 40
    while world.subvolumes.usage().keys() - before and time.monotonic() < until:
        # The kernel lets go of a subvolume in the background, some time after its removal is on the disk.
        btrfs.sync(descriptor)
        await asyncio.sleep(0.2)
        world.subvolumes.sweep()
    os.close(descriptor)
    assert world.subvolumes.usage().keys() - before == set()
