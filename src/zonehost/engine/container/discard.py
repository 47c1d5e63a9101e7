"""Taking away what there is of a container: first of its zone, then of itself. Each step may be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from zonehost.domain.container import Container
from zonehost.domain.failpoint import failpoint
from zonehost.domain.snapshot import Dataset
from zonehost.domain.volume import Volume
from zonehost.engine.container.endpoints import release_all
from zonehost.engine.dataset.removal import discard_all_of
from zonehost.engine.host import Host
from zonehost.engine.image.sweep import sweep_layers
from zonehost.engine.state.zone import Zone
from zonehost.engine.together import together
from zonehost.ports.records import Delete


async def discard(host: Host, zone: Zone, volumes: Iterable[Volume]) -> None:
    """Remove a container whose zone is dismantled, and these volumes: datasets first, records last.

    The records say that they are on their way out, so the disk need not be waited for at the end: who finds them
    there again does all this once more.
    """
    volumes = tuple(volumes)
    await host.storage.remove_zone(zone.id)
    for volume in volumes:
        await host.storage.remove_volume(volume.name)
    for dataset in (Dataset("zone", zone.id), *(Dataset("volume", volume.name) for volume in volumes)):
        await discard_all_of(host, dataset)
    failpoint("discard.datasets")
    for volume in volumes:
        host.volumes.drop(volume.name)
    host.containers.drop(zone)
    host.execs.drop_of(zone.id)
    if None in map(host.images.get, zone.record.images) and not host.records.load().aside:
        await sweep_layers(host, zone.record.held_layers)  # an image of it went before it
    gone = (Delete(Container.kind, zone.id), *(Delete(Volume.kind, volume.name) for volume in volumes))
    host.spawn(host.records.commit(*gone), f"forget container {zone.record.short}")


async def dismantle(host: Host, record: Container, noted: asyncio.Future[None] | None = None) -> None:
    """End a zone's processes, and take its kernel objects, links, ports, addresses and log watch away.

    How it ended can be found out by another daemon until `noted` is done.

    Raises:
        Blocked: a process cannot be ended.
    """
    await together(host.runtime.remove(record.id, noted), host.networking.detach(record.id))
    await host.logs.forget(record.id)
    release_all(host, record.endpoints.values())
