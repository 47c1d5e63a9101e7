"""Taking away all that there is of a container. Each step may be repeated."""

from __future__ import annotations

from collections.abc import Iterable

from zonehost.domain.container import Container
from zonehost.domain.failpoint import failpoint
from zonehost.domain.volume import Volume
from zonehost.engine.container.endpoints import release_all
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.engine.together import together
from zonehost.ports.records import Delete


async def discard(host: Host, zone: Zone, volumes: Iterable[Volume]) -> None:
    """Remove a container and these volumes: world first, records last."""
    volumes = tuple(volumes)
    await dismantle(host, zone.record)
    failpoint("discard.dismantled")
    await host.storage.remove_zone(zone.id)
    for volume in volumes:
        await host.storage.remove_volume(volume.name)
    failpoint("discard.datasets")
    for volume in volumes:
        host.volumes.drop(volume.name)
    host.containers.drop(zone)
    host.execs.drop_of(zone.id)
    await host.records.commit(
        Delete(Container.kind, zone.id), *(Delete(Volume.kind, volume.name) for volume in volumes)
    )


async def dismantle(host: Host, record: Container) -> None:
    """End a zone's processes, and take its kernel objects, links, ports, addresses and log watch away.

    Raises:
        Blocked: a process cannot be ended.
    """
    host.logs.forget(record.id)
    await together(host.runtime.remove(record.id), host.networking.detach(record.id))
    release_all(host, record.endpoints.values())
