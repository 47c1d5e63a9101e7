"""`docker export`."""

from __future__ import annotations

from collections.abc import AsyncIterator

from zonehost.engine.container.zone_tree import tree_of
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_container


async def export(host: Host, ref: str) -> AsyncIterator[bytes]:
    """A tar of a container's root.

    Raises:
        NotFound: there is no such container.
    """
    zone = host.containers.find(ref)
    archive = host.files.export(tree_of(host, zone))
    tell_container(host, zone.record, "export")
    return archive
