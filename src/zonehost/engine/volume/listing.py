"""`docker volume ls`."""

from __future__ import annotations

from typing import Final

from zonehost.domain.filters import Filters
from zonehost.domain.phase import Phase
from zonehost.engine.host import Host
from zonehost.engine.volume.inspect import VolumeDetail, detail
from zonehost.engine.volume.users import reference_counts

_KNOWN: Final = frozenset({"dangling", "driver", "label", "label!", "name"})


async def list_volumes(host: Host, filters: Filters) -> tuple[VolumeDetail, ...]:
    """Volumes that pass the filters, by name.

    Raises:
        InvalidParameter: a filter is unknown or badly written.
    """
    filters.accept(_KNOWN)
    dangling = filters.flag("dangling")
    used = reference_counts(host)
    chosen = [
        volume
        for volume in host.volumes
        if volume.phase is Phase.WHOLE
        and (dangling is None or dangling == (volume.name not in used))
        and filters.matches("driver", (volume.driver,))
        and filters.matches_labels(volume.labels)
        and filters.matches_pattern("name", volume.name)
    ]
    return tuple(detail(host, volume) for volume in sorted(chosen, key=lambda volume: volume.name))
