"""`zonehost snapshot ls`, `show` and `diff`."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.domain.phase import Phase
from zonehost.domain.snapshot import Snapshot
from zonehost.engine.dataset.reference import find_dataset, find_snapshot, shown, snapshotter
from zonehost.engine.dataset.removal import users_of
from zonehost.engine.host import Host
from zonehost.ports.snapshots import PathChange


@dataclass(frozen=True, slots=True)
class SnapshotDetail:
    """A snapshot, the name of what it is of, and who was cloned from it."""

    snapshot: Snapshot
    of: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatasetChanges:
    """What differs in one dataset; `volume` is empty for the root of a zone."""

    volume: str
    changes: tuple[PathChange, ...]


def list_snapshots(host: Host, of: str = "") -> tuple[SnapshotDetail, ...]:
    """All, or those of one container or volume, the oldest first. Raises NotFound if there is no such thing."""
    dataset = find_dataset(host, of) if of else None
    return tuple(
        detail(host, snapshot)
        for snapshot in host.snapshots
        if snapshot.phase is Phase.WHOLE and dataset in (None, snapshot.of)
    )


def show(host: Host, reference: str) -> SnapshotDetail:
    """All about one. Raises NotFound if there is none of that name."""
    return detail(host, find_snapshot(host, reference))


async def diff(host: Host, reference: str, other: str = "") -> tuple[DatasetChanges, ...]:
    """What became of each dataset since the snapshot: until the snapshot `other` of the same, or until now.

    Raises:
        NotFound: a snapshot is not there, or has not all that the first one has.
    """
    snapshot = find_snapshot(host, reference)
    later = host.snapshots.find(snapshot.of, other).id if other else ""
    port = snapshotter(host, "a comparison")
    return tuple(
        [
            DatasetChanges(
                dataset.name if dataset.kind == "volume" else "", await port.compare(snapshot.id, later, dataset)
            )
            for dataset in snapshot.datasets
        ]
    )


def detail(host: Host, snapshot: Snapshot) -> SnapshotDetail:
    """The snapshot, as people are shown it."""
    return SnapshotDetail(snapshot, shown(host, snapshot.of), tuple(users_of(host, snapshot)))
