"""`zonehost snapshot rollback`: a dataset becomes what it was, whatever snapshots came later."""

from __future__ import annotations

from contextlib import AsyncExitStack

import msgspec

from zonehost.domain.failpoint import failpoint
from zonehost.domain.snapshot import Dataset, Snapshot
from zonehost.engine.dataset.reference import check_whole, find_snapshot, snapshotter
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.errors import Conflict
from zonehost.ports.records import Put


async def rollback(host: Host, reference: str) -> None:
    """Bring a zone with its volumes, or a volume, back to a snapshot; its configuration stays as it is.

    Raises:
        NotFound: there is no such snapshot.
        Conflict: a container that has one of the datasets runs, or a volume of the snapshot is gone.
    """
    snapshot = find_snapshot(host, reference)
    async with AsyncExitStack() as held:
        for zone in _users(host, snapshot.datasets):
            await held.enter_async_context(zone.lock)
            if zone.active:
                raise Conflict(f"container {zone.record.name} is running: stop it before the rollback")
        for dataset in snapshot.datasets:
            if dataset.kind == "volume" and host.volumes.get(dataset.name) is None:
                raise Conflict(f"volume {dataset.name} is gone: create it again before the rollback")
        await check_whole(host, snapshot.datasets)
        restoring = msgspec.structs.replace(snapshot, restoring=True)
        host.snapshots.put(restoring)
        await host.records.commit(Put(restoring))
        failpoint("rollback.recorded")
        await finish(host, restoring)


async def finish(host: Host, snapshot: Snapshot) -> None:
    """Do a rollback whose intent is on record. May be repeated."""
    await snapshotter(host, "a rollback").restore(snapshot.id, snapshot.datasets)
    failpoint("rollback.restored")
    done = msgspec.structs.replace(snapshot, restoring=False)
    await host.records.commit(Put(done))
    host.snapshots.put(done)


def _users(host: Host, datasets: tuple[Dataset, ...]) -> list[Zone]:
    """Every container that has one of the datasets, in the order of their locks."""
    volumes = {dataset.name for dataset in datasets if dataset.kind == "volume"}
    zones = {dataset.name for dataset in datasets if dataset.kind == "zone"}
    users = [
        zone
        for zone in host.containers
        if zone.id in zones or any(point.type == "volume" and point.name in volumes for point in zone.record.mounts)
    ]
    return sorted(users, key=lambda zone: zone.id)
