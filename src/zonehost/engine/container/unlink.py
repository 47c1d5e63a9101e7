"""`docker rm --link`: a container is linked to another no longer."""

from __future__ import annotations

import msgspec

from zonehost.domain.links import parse_link
from zonehost.engine.container.etc import rewrite_hosts
from zonehost.engine.host import Host
from zonehost.errors import Conflict, NotFound


async def unlink(host: Host, ref: str) -> None:
    """Take away the link that `container/alias` names.

    Raises:
        NotFound: there is no such link. Conflict: it is a container's own name.
    """
    owner, _, alias = ref.strip("/").rpartition("/")
    if not owner:
        host.containers.find(ref)
        raise Conflict("Conflict, cannot remove the default link name of the container")
    zone = host.containers.find(owner)
    async with zone.lock:
        links = zone.record.host_config.links or ()
        rest = tuple(text for text in links if parse_link(text)[1] != alias)
        if len(rest) == len(links):
            raise NotFound(f"No such container: {ref}")
        host_config = msgspec.structs.replace(zone.record.host_config, links=rest or None)
        await host.keep(zone, msgspec.structs.replace(zone.record, host_config=host_config))
        if zone.record.state.running:
            await rewrite_hosts(host, zone.record)
