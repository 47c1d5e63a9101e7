"""Snapshots, clones and bases as subvolumes: pool/snapshots/ID/KIND.NAME, read-only, and pool/bases/KEY.

A rollback makes a writable copy aside and exchanges it with the dataset in one step (renameat2(2)), so that there is
always a whole one in its place.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from zonehost.domain.failpoint import failpoint
from zonehost.domain.sending import Position
from zonehost.domain.snapshot import Dataset
from zonehost.drivers.storage.btrfs.blank import Blank
from zonehost.drivers.storage.btrfs.incoming import Incoming
from zonehost.drivers.storage.btrfs.outgoing import Outgoing
from zonehost.drivers.storage.btrfs.pool import Pool
from zonehost.drivers.storage.btrfs.subvolumes import Subvolumes, our_errors, subvolume_id
from zonehost.errors import NotFound
from zonehost.linux import btrfs, libc
from zonehost.linux.forkserver import ForkServer
from zonehost.linux.jobs import run
from zonehost.ports.snapshots import Intake, PathChange

_DRIVER = "zonehost.drivers.storage.btrfs"
_BEGIN = Position()
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


class BtrfsSnapshots:
    """`ports.snapshots.Snapshots` on a pool."""

    def __init__(self, pool: Pool, subvolumes: Subvolumes, blank: Blank, forks: ForkServer) -> None:
        self._pool = pool
        self._subvolumes = subvolumes
        self._blank = blank
        self._forks = forks
        self._snapshots = pool.root / "snapshots"
        self._bases = pool.root / "bases"
        self._staging = pool.root / "staging"
        for folder in (self._snapshots, self._bases, self._staging):
            folder.mkdir(exist_ok=True, mode=0o700)
        with our_errors("remove what was not made to its end"):
            for left in self._staging.iterdir():
                if not _is_received(left.name):
                    subvolumes.destroy(left)

    async def with_children(self, datasets: Sequence[Dataset]) -> tuple[Dataset, ...]:
        """Those that have a subvolume inside."""
        with our_errors("look for datasets inside others"):
            return tuple(one for one in datasets if self._subvolumes.inner(subvolume_id(self._place(one))))

    async def take(self, snapshot: str, datasets: Sequence[Dataset]) -> None:
        """One read-only subvolume a dataset, made in a thread: each waits for the disk."""
        with our_errors(f"take the snapshot {snapshot}"):
            await asyncio.to_thread(self._take, snapshot, datasets)

    async def restore(self, snapshot: str, datasets: Sequence[Dataset]) -> None:
        """Each dataset is exchanged for a copy of the snapshot's."""
        for dataset in datasets:
            with our_errors(f"roll {dataset} back"):
                await asyncio.to_thread(self._restore, self._held(snapshot, dataset), dataset)

    async def clone(self, snapshot: str, source: Dataset, target: Dataset, *, quota: int = 0, zone: str = "") -> None:
        """A writable snapshot of the one subvolume in the place of the other."""
        origin = self._held(snapshot, source) if snapshot else self._place(source)
        with our_errors(f"clone {source}"):
            await asyncio.to_thread(self._clone, origin, self._place(target), quota, zone)
            if target.kind == "zone":
                log = self._place(target) / "log"
                await asyncio.to_thread(shutil.rmtree, log)
                log.mkdir()

    async def compare(self, snapshot: str, other: str, dataset: Dataset) -> tuple[PathChange, ...]:
        """By a job of its own, which walks both trees."""
        inner = "root/upper" if dataset.kind == "zone" else "_data"
        later = self._held(other, dataset) if other else self._place(dataset)
        places = [str(self._held(snapshot, dataset) / inner), str(later / inner)]
        found = await run(self._forks, "zonehost.drivers.storage.btrfs.comparison:compare", places)
        return msgspec.convert(found, tuple[PathChange, ...])

    async def remove(self, snapshot: str) -> None:
        """Destroy its subvolumes."""
        with our_errors(f"remove the snapshot {snapshot}"):
            await asyncio.to_thread(self._remove, self._snapshots / snapshot)

    async def send(
        self,
        snapshot: str,
        datasets: Sequence[Dataset],
        output: int,
        *,
        base: str = "",
        prologue: bytes = b"",
        position: Position = _BEGIN,
    ) -> None:
        """By the kernel's own send, in a job that writes to the output itself."""
        order = self._outgoing(snapshot, datasets, base)
        order = msgspec.structs.replace(order, prologue=prologue, position=position)
        await run(self._forks, f"{_DRIVER}.outgoing:send", order, [output])

    async def measure(self, snapshot: str, datasets: Sequence[Dataset], base: str = "") -> int:
        """By the kernel's send without data, which reads metadata only."""
        size: int = await run(self._forks, f"{_DRIVER}.outgoing:measure", self._outgoing(snapshot, datasets, base))
        return size

    async def receive(
        self,
        transfer: str,
        source: int,
        bases: Sequence[tuple[str, Dataset] | None],
        position: Position = _BEGIN,
    ) -> Intake:
        """Into empty subvolumes, or copies of the bases, by a job that reads from the source itself."""
        places = [self._staging / f"{transfer}.{number}" for number in range(len(bases))]
        if position == _BEGIN:
            await self.give_up(transfer)
            with our_errors("make room for what is received"):
                for place, base in zip(places, bases, strict=True):
                    await asyncio.to_thread(self._make_room, place, base)
        order = Incoming(places=tuple(map(str, places)), position=position)
        return msgspec.convert(await run(self._forks, f"{_DRIVER}.incoming:receive", order, [source]), Intake)

    async def transfers(self) -> frozenset[str]:
        """Whose subvolumes are in the staging folder."""
        return frozenset(place.name.partition(".")[0] for place in self._staging.iterdir() if _is_received(place.name))

    async def publish(self, transfer: str, snapshot: str, datasets: Sequence[Dataset]) -> None:
        """Move the subvolumes, which are closed to writes, to the snapshot's folder."""
        folder = self._snapshots / snapshot
        with our_errors(f"publish the snapshot {snapshot}"):
            folder.mkdir()
            for number, dataset in enumerate(datasets):
                held = folder / f"{dataset.kind}.{dataset.name}"
                received = self._staging / f"{transfer}.{number}"
                await asyncio.to_thread(partial(self._subvolumes.snapshot, received, held, readonly=True))
                failpoint("receive.one-published")
        await self.give_up(transfer)

    async def give_up(self, transfer: str) -> None:
        """Destroy the subvolumes of the transfer."""
        for place in self._staging.glob(f"{transfer}.*"):
            with our_errors("throw away what was received"):
                await asyncio.to_thread(self._subvolumes.destroy, place)

    async def survey(self) -> frozenset[str]:
        """What has a folder."""
        return frozenset(entry.name for entry in self._snapshots.iterdir())

    async def bases(self) -> frozenset[str]:
        """What is in the bases' folder; half-made ones are elsewhere."""
        return frozenset(entry.name for entry in self._bases.iterdir())

    async def begin_base(self, key: str) -> str:
        """An empty volume aside; what an earlier attempt left is thrown away."""
        draft = self._staging / f"base.{key}"
        with our_errors(f"make the base {key}"):
            await asyncio.to_thread(self._subvolumes.destroy, draft)
            self._subvolumes.create(draft)
            (draft / "_data").mkdir(mode=0o755)
        return str(draft / "_data")

    async def finish_base(self, key: str) -> None:
        """A read-only snapshot of the draft in the base's place; the draft goes."""
        draft = self._staging / f"base.{key}"
        with our_errors(f"make the base {key}"):
            await asyncio.to_thread(partial(self._subvolumes.snapshot, draft, self._bases / key, readonly=True))
            await asyncio.to_thread(self._subvolumes.destroy, draft)

    async def clone_base(self, key: str, volume: str, *, quota: int = 0, zone: str = "") -> None:
        """A writable snapshot of the base."""
        with our_errors(f"make the volume {volume}"):
            place = self._place(Dataset("volume", volume))
            await asyncio.to_thread(self._clone, self._bases / key, place, quota, zone)

    async def remove_base(self, key: str) -> None:
        """Destroy its subvolume."""
        with our_errors(f"remove the base {key}"):
            await asyncio.to_thread(self._subvolumes.destroy, self._bases / key)

    def _outgoing(self, snapshot: str, datasets: Sequence[Dataset], base: str) -> Outgoing:
        return Outgoing(
            subvolumes=tuple(
                (str(self._held(snapshot, dataset)), str(self._held(base, dataset)) if base else "")
                for dataset in datasets
            )
        )

    def _make_room(self, place: Path, base: tuple[str, Dataset] | None) -> None:
        if base is None:
            self._blank.become(place)
        else:
            self._subvolumes.snapshot(self._held(*base), place)

    def _take(self, snapshot: str, datasets: Sequence[Dataset]) -> None:
        folder = self._snapshots / snapshot
        folder.mkdir(exist_ok=True)
        for dataset in datasets:
            self._subvolumes.snapshot(self._place(dataset), folder / f"{dataset.kind}.{dataset.name}", readonly=True)
            failpoint("snapshot.one-taken")

    def _restore(self, held: Path, dataset: Dataset) -> None:
        place = self._place(dataset)
        copy = self._staging / f"{dataset.kind}.{dataset.name}"
        self._subvolumes.settle(place)
        self._subvolumes.destroy(copy)
        self._subvolumes.snapshot(held, copy, place=place)
        failpoint("rollback.copied")
        libc.call("renameat2", _AT_FDCWD, bytes(copy), _AT_FDCWD, bytes(place), _RENAME_EXCHANGE)
        failpoint("rollback.exchanged")
        btrfs.sync(self._pool.descriptor)
        self._subvolumes.destroy_displaced(copy, place)

    def _clone(self, origin: Path, place: Path, quota: int, zone: str) -> None:
        # One that a crash left may be of another moment.
        self._subvolumes.destroy(place)
        self._subvolumes.snapshot(
            origin, place, place=place, within=self._place(Dataset("zone", zone)) if zone else None
        )
        failpoint("clone.one-made")
        self._subvolumes.limit(place, quota)

    def _remove(self, folder: Path) -> None:
        if not folder.exists():
            return
        for held in folder.iterdir():
            self._subvolumes.destroy(held)
            failpoint("snapshot.one-removed")
        folder.rmdir()

    def _place(self, dataset: Dataset) -> Path:
        return self._pool.root / f"{dataset.kind}s" / dataset.name

    def _held(self, snapshot: str, dataset: Dataset) -> Path:
        held = self._snapshots / snapshot / f"{dataset.kind}.{dataset.name}"
        if not held.exists():
            raise NotFound(f"the snapshot has nothing of {dataset}")
        return held


def _is_received(name: str) -> bool:
    """Whether a subvolume in the staging folder is of a transfer, which may be continued by a later daemon."""
    return re.fullmatch(r"[0-9a-f]{64}\.\d+", name) is not None
