"""`docker diff`."""

from __future__ import annotations

from zonehost.engine.container.zone_tree import tree_of
from zonehost.engine.host import Host
from zonehost.ports.files import FileChange


async def changes(host: Host, ref: str) -> tuple[FileChange, ...]:
    """What a container changed in its root.

    Raises:
        NotFound: there is no such container.
    """
    zone = host.containers.find(ref)
    return await host.files.changes(tree_of(host, zone))
