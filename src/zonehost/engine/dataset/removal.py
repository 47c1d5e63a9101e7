"""`zonehost snapshot rm`, and the end of the snapshots whose dataset goes."""

from __future__ import annotations

import msgspec

from zonehost.domain.failpoint import failpoint
from zonehost.domain.phase import Phase
from zonehost.domain.snapshot import Dataset, Schedule, Snapshot
from zonehost.engine.dataset.reference import find_snapshot, snapshotter
from zonehost.engine.host import Host
from zonehost.errors import Conflict
from zonehost.ports.records import Delete, Put


async def remove(host: Host, reference: str) -> None:
    """Remove a snapshot.

    Raises:
        NotFound: there is no such snapshot. Conflict: clones were made from it; says which.
    """
    await remove_unused(host, find_snapshot(host, reference))


async def remove_unused(host: Host, snapshot: Snapshot) -> None:
    """Remove one that is known. Raises Conflict if clones were made from it, or a rollback to it goes on."""
    users = users_of(host, snapshot)
    if users:
        raise Conflict(f"snapshot {snapshot.name} is in use by {', '.join(users)}: remove that first")
    if snapshot.restoring:
        raise Conflict(f"snapshot {snapshot.name} is just being rolled back to")
    going = msgspec.structs.replace(snapshot, phase=Phase.REMOVING)
    host.snapshots.put(going)
    await host.records.commit(Put(going))
    failpoint("snapshot.removing")
    await discard(host, going)


async def discard(host: Host, snapshot: Snapshot) -> None:
    """Take a snapshot away, its record last. May be repeated."""
    await snapshotter(host, "a snapshot").remove(snapshot.id)
    await host.records.commit(Delete(Snapshot.kind, snapshot.id))
    host.snapshots.drop(snapshot.id)


async def discard_all_of(host: Host, dataset: Dataset) -> None:
    """The dataset is gone: so are its schedule and its snapshots. Clones hold what they need by themselves."""
    if host.snapshots.unplan(dataset) is not None:
        await host.records.commit(Delete(Schedule.kind, str(dataset)))
    for snapshot in host.snapshots.of(dataset):
        await discard(host, snapshot)


def users_of(host: Host, snapshot: Snapshot) -> list[str]:
    """The containers and volumes that were cloned from it, in words."""
    zones = [f"container {record.name}" for record in host.containers.records() if record.origin == snapshot.id]
    return zones + [f"volume {volume.name}" for volume in host.volumes if volume.origin == snapshot.id]
