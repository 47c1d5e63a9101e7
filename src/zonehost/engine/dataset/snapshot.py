"""`zonehost snapshot create`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import msgspec

from zonehost.domain.container import Status
from zonehost.domain.failpoint import failpoint
from zonehost.domain.identity import checked_name, new_id
from zonehost.domain.phase import Phase
from zonehost.domain.snapshot import Dataset, Snapshot
from zonehost.engine.dataset.reference import check_whole, find_dataset, snapshotter, with_volumes
from zonehost.engine.dataset.removal import discard
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.errors import Conflict
from zonehost.ports.records import Put


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRequest:
    """What a client asks for. `pause` holds all still that could write; `lifetime` is nanoseconds, 0 for ever."""

    of: str
    name: str
    labels: dict[str, str] = field(default_factory=dict)
    pause: bool = False
    lifetime: int = 0


async def create(host: Host, request: SnapshotRequest) -> Snapshot:
    """Take a snapshot of a zone with all its volumes, or of a volume.

    Raises:
        NotFound: there is no such container or volume. Conflict: the name is taken, or the container is being removed.
        InvalidParameter: the name cannot be. Unsupported: the storage driver has no snapshots.
    """
    of = find_dataset(host, request.of)
    expires = host.clock.now() + request.lifetime if request.lifetime else 0
    return await take(host, of, request.name, labels=request.labels, pause=request.pause, expires=expires)


async def take(
    host: Host,
    of: Dataset,
    name: str,
    *,
    labels: dict[str, str] | None = None,
    pause: bool = False,
    expires: int = 0,
    scheduled: bool = False,
) -> Snapshot:
    """Take it, of a dataset that is known."""
    port = snapshotter(host, "a snapshot")
    await check_whole(host, with_volumes(host, of))
    host.snapshots.check_name(of, checked_name(name, "snapshot"))
    zone = host.containers.get(of.name) if of.kind == "zone" else None
    if zone is not None and zone.record.state.status in (Status.REMOVING, Status.DEAD):
        raise Conflict(f"container {zone.record.name} is being removed")
    datasets = with_volumes(host, of)
    snapshot = Snapshot(
        id=new_id(),
        name=name,
        of=of,
        datasets=datasets,
        created=host.clock.now(),
        container=zone.record if zone is not None else None,
        labels=labels or {},
        expires=expires,
        scheduled=scheduled,
    )
    host.snapshots.put(snapshot)
    async with AsyncExitStack() as undo:
        undo.push_async_callback(discard, host, snapshot)
        await host.records.commit(Put(snapshot))
        failpoint("snapshot.recorded")
        async with AsyncExitStack() as still:
            for writer in _to_hold(host, zone, datasets, pause=pause):
                await still.enter_async_context(writer.lock)
                if writer.record.state.status is Status.RUNNING:
                    still.push_async_callback(host.runtime.resume, writer.id)
                    await host.runtime.pause(writer.id)
            await port.take(snapshot.id, datasets)
        failpoint("snapshot.taken")
        whole = msgspec.structs.replace(snapshot, phase=Phase.WHOLE)
        await host.records.commit(Put(whole))
        undo.pop_all()
    host.snapshots.put(whole)
    return whole


def _to_hold(host: Host, zone: Zone | None, datasets: tuple[Dataset, ...], *, pause: bool) -> list[Zone]:
    """Who must stand still, in the order of their locks: a zone for all its datasets to be of one moment."""
    if not pause:
        return [zone] if zone is not None and len(datasets) > 1 else []
    volumes = {dataset.name for dataset in datasets if dataset.kind == "volume"}
    writers = [
        other
        for other in host.containers
        if other is zone or any(point.type == "volume" and point.name in volumes for point in other.record.mounts)
    ]
    return sorted(writers, key=lambda writer: writer.id)
