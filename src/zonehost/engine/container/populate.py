"""Copy-up: a volume that is empty gets what the image has at its mount point."""

from __future__ import annotations

from zonehost.domain.blueprint import Root
from zonehost.domain.container import Container
from zonehost.engine.host import Host
from zonehost.ports.files import ZoneTree


async def populate_volumes(host: Host, record: Container) -> None:
    """Fill the empty volumes of a container that is being made."""
    wanted = [point for point in record.mounts if point.type == "volume" and point.image is None and not point.no_copy]
    if not wanted or not record.layers:
        return
    tree = ZoneTree(zone=record.id, pid=0, root=root_of(host, record))
    for point in wanted:
        folder = point.folder
        if folder is None or not folder.readonly:
            source = point.source if folder is None else folder.device
            await host.files.populate(tree, point.destination, source, point.subpath)


def root_of(host: Host, record: Container) -> Root:
    """What a container's root is made of."""
    return Root(
        layers=(host.layers.foundation, *host.layers.stack(record.layers)),
        dataset=host.storage.zone_path(record.id),
        readonly=record.host_config.readonly_rootfs,
    )
