"""`zonehost clone`: another container with the configuration and the data of one, as they are or as they were."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

import msgspec

from zonehost.domain.container import Container, MountPoint, State, Status
from zonehost.domain.failpoint import failpoint
from zonehost.domain.host_config_check import storage_quota
from zonehost.domain.identity import checked_name, new_id, short
from zonehost.domain.phase import Phase
from zonehost.domain.snapshot import Dataset, Snapshot
from zonehost.domain.volume import Volume
from zonehost.engine.container.discard import discard
from zonehost.engine.container.endpoints import cleared
from zonehost.engine.dataset.reference import check_whole, find_dataset, find_snapshot, snapshotter, split, with_volumes
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_container, tell_volume
from zonehost.errors import Conflict, InvalidParameter
from zonehost.ports.records import Put


async def clone(host: Host, reference: str, name: str) -> Container:
    """Make a container of that name from `ZONE` as it is now, running or not, or from `ZONE@SNAPSHOT`.

    It gets copies of all the zone's volumes that are datasets: of an anonymous one another anonymous one, of one called
    `data` one called `NAME-data`. It is not started.

    Raises:
        NotFound: there is no such container or snapshot. Conflict: the name, or one of a volume, is taken.
        InvalidParameter: the name cannot be, or a volume is referred to. Unsupported: the storage driver has no clones.
    """
    port = snapshotter(host, "a clone")
    ref, at = split(reference)
    source = find_dataset(host, ref)
    if source.kind != "zone":
        raise InvalidParameter(f"{ref} is a volume: docker volume create -o from={reference} clones it")
    if not at:
        await check_whole(host, with_volumes(host, source))
    original = host.containers.find(source.name)
    snapshot = find_snapshot(host, reference) if at else None
    before = snapshot.container if snapshot is not None and snapshot.container is not None else original.record
    new = checked_name(name)
    host.containers.check_name(new)
    copies = _copies(host, before, new, snapshot)
    record = _cloned(before, new, copies, snapshot.id if snapshot is not None else before.id, host)
    zone = host.containers.add(record)
    for volume in copies.values():
        host.volumes.put(volume)
    quota = storage_quota(record.host_config)
    origin = snapshot.id if snapshot is not None else ""
    async with zone.lock, AsyncExitStack() as undo:
        undo.push_async_callback(discard, host, zone, tuple(copies.values()))
        await host.records.commit(Put(record), *map(Put, copies.values()))
        failpoint("clone.recorded")
        async with original.lock:
            running = snapshot is None and original.record.state.status is Status.RUNNING
            async with AsyncExitStack() as still:
                if running and copies:
                    still.push_async_callback(host.runtime.resume, original.id)
                    await host.runtime.pause(original.id)
                await port.clone(origin, source, Dataset("zone", zone.id), quota=quota)
                for old, volume in copies.items():
                    within = zone.id if volume.anonymous else ""
                    await port.clone(origin, Dataset("volume", old), Dataset("volume", volume.name), zone=within)
        failpoint("clone.made")
        whole = [msgspec.structs.replace(volume, phase=Phase.WHOLE) for volume in copies.values()]
        await host.keep(zone, msgspec.structs.replace(record, phase=Phase.WHOLE), *map(Put, whole))
        undo.pop_all()
    for volume in whole:
        host.volumes.put(volume)
        tell_volume(host, "create", volume.name)
    tell_container(host, zone.record, "create")
    return zone.record


def _copies(host: Host, before: Container, name: str, snapshot: Snapshot | None) -> dict[str, Volume]:
    """By the name of each volume of the zone, its copy to be."""
    copies: dict[str, Volume] = {}
    for point in before.mounts:
        if not point.in_pool or point.name in copies:
            continue
        copy = new_id() if point.anonymous else f"{name}-{point.name}"
        if host.volumes.get(copy) is not None:
            raise Conflict(f"there is a volume {copy} already")
        old = host.volumes.get(point.name)
        copies[point.name] = Volume(
            name=copy,
            created=host.clock.now(),
            labels=old.labels if old is not None else None,
            anonymous=point.anonymous,
            origin=snapshot.id if snapshot is not None else "",
        )
    return copies


def _cloned(before: Container, name: str, copies: dict[str, Volume], origin: str, host: Host) -> Container:
    identity = new_id()
    hostname = before.config.hostname
    if hostname == before.short:
        hostname = short(identity)
    return msgspec.structs.replace(
        before,
        id=identity,
        name=name,
        created=host.clock.now(),
        config=msgspec.structs.replace(before.config, hostname=hostname),
        mounts=tuple(moved(host, point, copies) for point in before.mounts),
        endpoints={network: cleared(endpoint) for network, endpoint in before.endpoints.items()},
        phase=Phase.MAKING,
        state=State(),
        restart_count=0,
        origin=origin,
    )


def moved(host: Host, point: MountPoint, copies: Mapping[str, Volume]) -> MountPoint:
    """The mount point with the copy of its volume in it; image files and the host's folders are shared."""
    if not point.in_pool:
        return point
    copy = copies[point.name].name
    return msgspec.structs.replace(point, name=copy, source=host.storage.volume_path(copy), no_copy=True)
