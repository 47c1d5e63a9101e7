"""Snapshots, rollbacks, clones and transfers, on fakes: what is allowed when, and what stays on record."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tests.fakes.host import World
from tests.fakes.snapshots import MemorySnapshots
from tests.unit.engine.steps import make, run
from zonehost.domain.snapshot import Dataset, Snapshot
from zonehost.engine.container.clone import clone
from zonehost.engine.container.receive import CutShort, receive
from zonehost.engine.container.remove import remove
from zonehost.engine.dataset.listing import list_snapshots
from zonehost.engine.dataset.partial import forget
from zonehost.engine.dataset.removal import remove as remove_snapshot
from zonehost.engine.dataset.rollback import rollback
from zonehost.engine.dataset.send import Sending, prepare, prepare_rest
from zonehost.engine.dataset.snapshot import SnapshotRequest, create
from zonehost.engine.doctor.examine import examine
from zonehost.engine.recovery.report import Recovered
from zonehost.engine.recovery.snapshots import settle_snapshots
from zonehost.engine.volume.create import VolumeRequest
from zonehost.engine.volume.create import create as create_volume
from zonehost.errors import Conflict, InvalidParameter, NotFound, Unsupported
from zonehost.linux.byte_stream import DescriptorStream
from zonehost.ports.audit import Trouble

DATA = Dataset("volume", "data")


@pytest.fixture
async def pool(world: World) -> MemorySnapshots:
    pool = world.host.snapshotter = MemorySnapshots()
    await create_volume(world.host, VolumeRequest(name="data"))
    pool.content[DATA] = "one"
    return pool


def stream(data: bytes = b"") -> DescriptorStream:
    """The bytes to read; what is written goes behind them."""
    descriptor = os.memfd_create("stream")
    os.write(descriptor, data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return DescriptorStream(descriptor)


async def sent(world: World, reference: str, base: str = "") -> bytes:
    return await written(await prepare(world.host, reference, base=base))


async def written(sending: Sending) -> bytes:
    output = stream()
    await sending.write(output)
    return os.pread(output.descriptor, 1 << 20, 0)


async def test_a_snapshot_is_on_record_whole_and_its_name_is_taken(world: World, pool: MemorySnapshots) -> None:
    made = await create(world.host, SnapshotRequest(of="data", name="first", labels={"why": "test"}))
    assert pool.held[made.id] == {DATA: "one"}
    kept = world.records.kept["snapshot", made.id]
    assert isinstance(kept, Snapshot)
    assert (kept.phase, kept.labels) == ("whole", {"why": "test"})
    with pytest.raises(Conflict, match="already"):
        await create(world.host, SnapshotRequest(of="data", name="first"))
    with pytest.raises(NotFound):
        await create(world.host, SnapshotRequest(of="nothing", name="first"))


@pytest.mark.parametrize(
    ("of", "pause", "still"),
    [
        ("data", False, set()),
        ("data", True, {"web", "other"}),
        ("web", False, {"web"}),
        ("web", True, {"web", "other"}),
        ("alone", False, set()),
        ("alone", True, {"alone"}),
    ],
)
async def test_who_writes_stands_still_while_a_snapshot_is_taken(
    world: World, pool: MemorySnapshots, of: str, pause: bool, still: set[str]
) -> None:
    zones = {name: await run(world, name=name, binds=("data:/data",)) for name in ("web", "other")}
    zones["alone"] = await run(world, name="alone")
    seen = set()

    def paused() -> set[str]:
        return {name for name, zone in zones.items() if world.runtime.zones[zone].paused}

    class Looking(MemorySnapshots):
        async def take(self, snapshot: str, datasets: Sequence[Dataset]) -> None:
            seen.update(paused())
            await super().take(snapshot, datasets)

    world.host.snapshotter = Looking()
    await create(world.host, SnapshotRequest(of=of, name="first", pause=pause))
    assert (seen, paused()) == (still, set())


async def test_a_host_without_a_pool_refuses(world: World) -> None:
    await create_volume(world.host, VolumeRequest(name="data"))
    with pytest.raises(Unsupported, match="memory"):
        await create(world.host, SnapshotRequest(of="data", name="first"))


async def test_a_running_container_keeps_its_data_from_a_rollback(world: World, pool: MemorySnapshots) -> None:
    container = await run(world, name="web")
    await create(world.host, SnapshotRequest(of="web", name="first"))
    with pytest.raises(Conflict, match="web is running: stop it"):
        await rollback(world.host, "web@first")
    await remove(world.host, container, force=True)
    assert list_snapshots(world.host) == ()
    assert pool.held == {}


async def test_a_rollback_that_was_cut_is_finished_at_the_next_start(world: World, pool: MemorySnapshots) -> None:
    made = await create(world.host, SnapshotRequest(of="data", name="first"))
    pool.content[DATA] = "half"
    world.host.snapshots.put(msgspec.structs.replace(made, restoring=True))
    report = Recovered()
    await settle_snapshots(world.host, report)
    assert (pool.content[DATA], report.finished) == ("one", 1)
    assert not world.host.snapshots.find(DATA, "first").restoring


async def test_what_no_record_names_is_swept(world: World, pool: MemorySnapshots) -> None:
    pool.held["left"] = {}
    await settle_snapshots(world.host, Recovered())
    assert pool.held == {}


async def test_a_clone_keeps_its_snapshot(world: World, pool: MemorySnapshots) -> None:
    await make(world, "exit", "0", name="web")
    await create(world.host, SnapshotRequest(of="web", name="first"))
    made = await clone(world.host, "web@first", "copy")
    assert (made.name, made.phase, made.config.cmd) == ("copy", "whole", ("exit", "0"))
    with pytest.raises(Conflict, match="in use by container copy"):
        await remove_snapshot(world.host, "web@first")
    await remove(world.host, "copy")
    await remove_snapshot(world.host, "web@first")
    with pytest.raises(InvalidParameter, match="data is a volume"):
        await clone(world.host, "data", "copy")


async def test_what_is_being_cloned_or_received_is_no_finding(world: World, pool: MemorySnapshots) -> None:
    await make(world, "exit", "0", name="web")
    await create(world.host, SnapshotRequest(of="web", name="first"))
    whole = await sent(world, "web@first")
    found: list[str] = []
    put = pool.clone

    async def looked_at(*arguments: Any, **limits: Any) -> None:
        found.extend(one.name for one in await examine(world.host) if one.trouble is Trouble.UNFINISHED)
        found.append("looked")
        await put(*arguments, **limits)

    pool.clone = looked_at  # type: ignore[method-assign]
    await receive(world.host, stream(whole), "other")
    await clone(world.host, "other", "copy")
    assert found == ["looked", "looked"]


async def test_a_stream_is_received_once_whole_and_then_by_differences(world: World, pool: MemorySnapshots) -> None:
    await create(world.host, SnapshotRequest(of="data", name="first"))
    whole = await sent(world, "data@first")
    received = await receive(world.host, stream(whole), "copy")
    assert (received.name, received.snapshot) == ("copy", "first")
    assert pool.content[Dataset("volume", "copy")] == "one"
    pool.content[DATA] = "two"
    await create(world.host, SnapshotRequest(of="data", name="second"))
    difference = await sent(world, "data@second", base="first")
    assert (await receive(world.host, stream(difference), "copy")).snapshot == "second"
    assert pool.content[Dataset("volume", "copy")] == "one"
    with pytest.raises(Conflict, match="here already"):
        await receive(world.host, stream(difference), "copy")


@pytest.mark.parametrize("cut", [0, 10, 20, 200])
async def test_a_stream_that_is_cut_before_its_data_leaves_nothing(
    world: World, pool: MemorySnapshots, cut: int
) -> None:
    await create(world.host, SnapshotRequest(of="data", name="first"))
    whole = await sent(world, "data@first")
    before = dict(pool.held)
    with pytest.raises(InvalidParameter, match="cut"):
        await receive(world.host, stream(whole[:cut]), "copy")
    assert pool.held == before
    assert world.host.volumes.get("copy") is None


async def test_a_stream_that_is_cut_in_its_data_can_be_continued_once(world: World, pool: MemorySnapshots) -> None:
    await create(world.host, SnapshotRequest(of="data", name="first"))
    whole = await sent(world, "data@first")
    with pytest.raises(CutShort, match="--resume") as cut:
        await receive(world.host, stream(whole[:-1]), "copy")
    assert world.host.volumes.get("copy") is None
    rest = await written(await prepare_rest(world.host, str(cut.value).rpartition(" ")[2]))
    assert (await receive(world.host, stream(rest))).name == "copy"
    assert pool.content[Dataset("volume", "copy")] == "one"
    with pytest.raises(NotFound, match="nothing to be continued"):
        await receive(world.host, stream(rest))


async def test_what_was_cut_goes_after_a_day(world: World, pool: MemorySnapshots) -> None:
    await create(world.host, SnapshotRequest(of="data", name="first"))
    whole = await sent(world, "data@first")
    with pytest.raises(CutShort):
        await receive(world.host, stream(whole[:-1]), "copy")
    (partial,) = world.host.snapshots.partials
    await forget(world.host, partial.id)
    assert world.host.snapshots.partials == () and partial.expires - partial.created == 86_400 * 10**9
    with pytest.raises(InvalidParameter, match="no token"):
        await prepare_rest(world.host, "anything")


async def test_every_flipped_bit_is_seen(world: World, pool: MemorySnapshots) -> None:
    await create(world.host, SnapshotRequest(of="data", name="first"))
    whole = await sent(world, "data@first")
    for at in range(len(whole)):
        flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with pytest.raises(InvalidParameter):
            await receive(world.host, stream(flipped), "copy")
    assert world.host.volumes.get("copy") is None
