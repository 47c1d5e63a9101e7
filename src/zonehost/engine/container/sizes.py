"""How much a container's files are: those it wrote, and all that its root shows."""

from __future__ import annotations

from collections.abc import Iterable

from zonehost.domain.container import Container
from zonehost.engine.host import Host


async def sizes_of(host: Host, records: Iterable[Container]) -> dict[str, tuple[int, int]]:
    """By container id: bytes that it wrote, and with them the bytes of its layers."""
    records = tuple(records)
    usages = await host.storage.zone_usage(record.id for record in records)
    sizes = {}
    for record in records:
        if record.id in usages:
            own = usages[record.id].used
            found = (host.layers.get(layer) for layer in record.layers)
            sizes[record.id] = (own, own + sum(layer.size for layer in found if layer is not None))
    return sizes
