"""Snapshots and clones of datasets: O(1) in time and space, whatever a dataset holds.

Every verb may be repeated after a crash in the midst of it, and then brings it to its end.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from zonehost.domain.snapshot import Dataset


@dataclass(frozen=True, slots=True)
class PathChange:
    """A path that differs between two states of a dataset."""

    path: str
    kind: Literal["added", "changed", "deleted"]


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

    def send(self, snapshot: str, dataset: Dataset, base: str = "") -> AsyncIterator[bytes]:
        """What a dataset held in the snapshot, or what differs from what it held in `base`, as the pool writes it."""

    async def receive(
        self, transfer: str, number: int, source: AsyncIterable[bytes], base: tuple[str, Dataset] | None = None
    ) -> None:
        """Take in one stream of `send`, aside, as the number-th dataset of a transfer.

        `base` is where the same is that the sender's base was: a snapshot, and its dataset.

        Raises:
            InvalidParameter: the stream is damaged, or leads out of the dataset.
        """

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
