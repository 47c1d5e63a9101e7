"""`docker container prune`."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.domain.container import Status
from zonehost.domain.filters import Filters
from zonehost.engine.container.remove import remove
from zonehost.engine.container.sizes import sizes_of
from zonehost.engine.host import Host
from zonehost.engine.prune_filters import created_before
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
    old_enough = created_before(host, filters)
    doomed = [
        zone.record
        for zone in host.containers
        if zone.listed
        and not zone.active
        and zone.record.state.status not in (Status.REMOVING, Status.RESTARTING)
        and old_enough(zone.record.created)
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
    return PrunedContainers(tuple(gone), sum(sizes[key][0] for key in gone if key in sizes))
