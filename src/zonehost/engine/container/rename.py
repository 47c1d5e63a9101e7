"""`docker rename`."""

from __future__ import annotations

import msgspec

from zonehost.domain.identity import checked_name
from zonehost.engine.container.endpoints import plugs_of
from zonehost.engine.container.running import check_stays
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_container
from zonehost.errors import InvalidParameter, ZonehostError, explained


async def rename(host: Host, ref: str, name: str) -> None:
    """Give a container another name, by which others in its networks find it at once if it runs.

    Raises:
        NotFound: there is no such container. Conflict: the name is taken. InvalidParameter: it is empty, the one that
        the container has, or badly written.
    """
    zone = host.containers.find(ref)
    if not name:
        raise InvalidParameter("Neither old nor new names may be empty")
    with explained("Error when allocating new name"):
        new = checked_name(f"/{name.removeprefix('/')}")
    async with zone.lock:
        check_stays(zone)
        old = zone.record.name
        if new == old:
            raise InvalidParameter("Renaming a container with the same name as its current name")
        with explained("Error when allocating new name"):
            host.containers.rename(zone, old, new)
        try:
            await host.keep(zone, msgspec.structs.replace(zone.record, name=new))
        except ZonehostError:
            host.containers.rename(zone, new, old)
            raise
        if zone.record.state.running and zone.ended is None:
            await host.networking.rename(plugs_of(host, zone.record))
    tell_container(host, zone.record, "rename", oldName=f"/{old}")
