"""Snapshots and clones of datasets: O(1) in time and space, whatever a dataset holds.

Every verb may be repeated after a crash in the midst of it, and then brings it to its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from zonehost.domain.sending import Position
from zonehost.domain.snapshot import Dataset

_BEGIN = Position()


@dataclass(frozen=True, slots=True)
class PathChange:
    """A path that differs between two states of a dataset."""

    path: str
    kind: Literal["added", "changed", "deleted"]


class Intake(msgspec.Struct, frozen=True):
    """How far a stream was taken in, and what was wrong then; whole if nothing was."""

    position: Position
    trouble: str


class Snapshots(Protocol):
    """The snapshots of one pool."""

    async def with_children(self, datasets: Sequence[Dataset]) -> tuple[Dataset, ...]:
        """Those of the datasets that have others inside, made by a zone: no snapshot holds what is in these."""

    async def take(self, snapshot: str, datasets: Sequence[Dataset]) -> None:
        """Keep what the datasets hold, under the id `snapshot`. What a process has written is in it."""

    async def restore(self, snapshot: str, datasets: Sequence[Dataset]) -> None:
        """Make the datasets hold again what the snapshot holds; durable on return. Nobody may have them mounted."""

    async def clone(self, snapshot: str, source: Dataset, target: Dataset, *, quota: int = 0, zone: str = "") -> None:
        """Make `target` a dataset that holds what `source` held in the snapshot, or holds now if `snapshot` is empty.

        `quota` bounds what it writes; that counts for `zone` too. A zone's log is not cloned.
        """

    async def compare(self, snapshot: str, other: str, dataset: Dataset) -> tuple[PathChange, ...]:
        """What differs in `other` (empty: now) from `snapshot`, by path."""

    async def remove(self, snapshot: str) -> None:
        """Forget a snapshot. Idempotent."""

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
        """Write frames to a descriptor, which need not block: of what the datasets held in the snapshot, or of what
        differs from what they held in `base`, as the pool writes it, and DONE. The prologue comes before.

        Raises:
            InvalidParameter: what a receiver has up to the position is not what would be sent now; nothing is written.
            SystemFailure: nobody reads it any more, or the pool failed.
        """

    async def measure(self, snapshot: str, datasets: Sequence[Dataset], base: str = "") -> int:
        """About how many bytes `send` will write."""

    async def receive(
        self,
        transfer: str,
        source: int,
        bases: Sequence[tuple[str, Dataset] | None],
        position: Position = _BEGIN,
    ) -> Intake:
        """Take in the frames of `send` from a descriptor, aside. For each dataset, its base is where the same is that
        the sender's base was: a snapshot, and its dataset.

        A stream that is cut, or of which a checksum is wrong, can be continued at the position where that was.

        Raises:
            InvalidParameter: the stream leads out of a dataset, or cannot be applied; it cannot be continued.
        """

    async def transfers(self) -> frozenset[str]:
        """Transfers of which anything was taken in and is not published."""

    async def publish(self, transfer: str, snapshot: str, datasets: Sequence[Dataset]) -> None:
        """Make a snapshot of what was received: the number-th is of the number-th dataset."""

    async def give_up(self, transfer: str) -> None:
        """Throw away what was received. Idempotent."""

    async def survey(self) -> frozenset[str]:
        """Ids of which anything is there."""

    async def bases(self) -> frozenset[str]:
        """Keys of the read-only bases that volumes can be cloned from."""

    async def begin_base(self, key: str) -> str:
        """The host path of an empty folder, which is to be filled and then finished as the base `key`."""

    async def finish_base(self, key: str) -> None:
        """Close the base to writes and publish it."""

    async def clone_base(self, key: str, volume: str, *, quota: int = 0, zone: str = "") -> None:
        """Make a volume that holds what the base holds."""

    async def remove_base(self, key: str) -> None:
        """Remove a base; volumes that were cloned from it do not need it. Idempotent."""
