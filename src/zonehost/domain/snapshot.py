"""The records of snapshots and of their schedules."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from zonehost.domain.container import Container
from zonehost.domain.phase import Phase


class Dataset(msgspec.Struct, frozen=True):
    """What can be snapshotted: a zone by its container's id, a volume by its name."""

    kind: Literal["zone", "volume"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What datasets held at one moment. Times are nanoseconds since the epoch; `expires` 0 is never.

    `restoring` is the intent of a rollback: committed before the first dataset is replaced, taken back after the last.
    """

    kind: ClassVar[str] = "snapshot"

    id: str
    name: str
    of: Dataset
    datasets: tuple[Dataset, ...]
    """`of` first, then the volumes of a zone."""
    created: int
    container: Container | None = None
    """The zone's record at that moment: what a clone of the snapshot is configured as."""
    labels: dict[str, str] = {}
    sent_as: str = ""
    """The id that it has where it was taken, if it was received."""
    expires: int = 0
    scheduled: bool = False
    restoring: bool = False
    phase: Phase = Phase.MAKING

    @property
    def key(self) -> str:
        """What the store finds it by."""
        return self.id

    @property
    def origin(self) -> str:
        """The id by which all hosts know it."""
        return self.sent_as or self.id


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Snapshots that the daemon takes by itself, one each `every` nanoseconds; the newest `keep` of them stay."""

    kind: ClassVar[str] = "schedule"

    of: Dataset
    every: int
    keep: int
    created: int
    next: int

    @property
    def key(self) -> str:
        """What the store finds it by: a dataset has one schedule."""
        return str(self.of)
