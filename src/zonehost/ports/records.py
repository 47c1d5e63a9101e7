"""State that outlives the daemon.

The daemon holds all records in memory; this port makes them durable. A commit is atomic, and on the disk when it
returns. The store knows nothing of what records mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from zonehost.domain.container import Container
from zonehost.domain.image import Image, Tag
from zonehost.domain.network import Network
from zonehost.domain.sending import Partial
from zonehost.domain.snapshot import Schedule, Snapshot
from zonehost.domain.volume import Volume

Record = Container | Image | Tag | Network | Volume | Snapshot | Schedule | Partial


@dataclass(frozen=True, slots=True)
class Put:
    """Make this the record of its kind and key."""

    record: Record


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget the record of this kind and key; it need not exist."""

    kind: str
    key: str


Change = Put | Delete


@dataclass(frozen=True, slots=True)
class Corrupt:
    """A record that could not be read: it is named, and restored from the copy, or set aside and never half-used.

    Of the kind `state` it is the file as a whole.
    """

    kind: str
    key: str
    reason: str
    restored: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that the store holds."""

    records: tuple[Record, ...]
    corrupt: tuple[Corrupt, ...]
    aside: frozenset[tuple[str, str]] = frozenset()
    """Kind and key of every record that is set aside, now or at an earlier start: what belongs to them is not swept."""


class Records(Protocol):
    """The store."""

    def load(self) -> Loaded:
        """Everything, once, at start. Damage to one record leaves the others whole."""

    async def commit(self, *changes: Change) -> None:
        """All of the changes or none, durable on return; concurrent commits keep the order in which they were called.

        Raises:
            SystemFailure: the disk is full or broken; nothing of these changes is kept.
        """

    async def close(self) -> None:
        """Finish what was begun, then let go of the file. Idempotent."""
