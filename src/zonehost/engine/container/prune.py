"""`docker container prune`."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.domain.container import Status
from zonehost.domain.filters import Filters
from zonehost.engine.container.remove import remove
from zonehost.engine.container.sizes import sizes_of
from zonehost.engine.host import Host
from zonehost.engine.image.listing import parse_until
from zonehost.engine.telling import tell_prune
from zonehost.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class PrunedContainers:
    """What went, and the bytes that it held."""

    ids: tuple[str, ...]
    space: int


async def prune(host: Host, filters: Filters) -> PrunedContainers:
    """Remove all containers that do not run and match the filters (`until`, `label`, `label!`).

    Raises:
        InvalidParameter: a filter is unknown or has a value that cannot be.
    """
    filters.accept(("until", "label", "label!"))
    until = min((parse_until(text, host.clock.now()) for text in filters.get("until")), default=1 << 63)
    doomed = [
        zone.record
        for zone in host.containers
        if zone.listed
        and not zone.active
        and zone.record.state.status not in (Status.REMOVING, Status.RESTARTING)
        and zone.record.created < until
        and filters.matches_labels(zone.record.config.labels)
    ]
    sizes = await sizes_of(host, doomed)
    gone = []
    for record in doomed:
        try:
            await remove(host, record.id)
        except (Conflict, NotFound):
            continue  # started or removed by another client meanwhile
        gone.append(record.id)
    space = sum(sizes[key][0] for key in gone if key in sizes)
    tell_prune(host, "container", space)
    return PrunedContainers(tuple(gone), space)
