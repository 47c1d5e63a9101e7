"""`docker volume ls`."""

from __future__ import annotations

import re
from typing import Final

from zonehost.domain.filters import Filters
from zonehost.domain.phase import Phase
from zonehost.engine.host import Host
from zonehost.engine.volume.inspect import VolumeDetail, detail
from zonehost.engine.volume.users import reference_counts
from zonehost.errors import InvalidParameter

_KNOWN: Final = frozenset({"dangling", "driver", "label", "label!", "name"})


async def list_volumes(host: Host, filters: Filters) -> tuple[VolumeDetail, ...]:
    """Volumes that pass the filters, by name.

    Raises:
        InvalidParameter: a filter is unknown or badly written.
    """
    filters.accept(_KNOWN)
    dangling = filters.flag("dangling")
    patterns = [_pattern(text) for text in filters.get("name")]
    used = reference_counts(host)
    chosen = [
        volume
        for volume in host.volumes
        if volume.phase is Phase.WHOLE
        and (dangling is None or dangling == (volume.name not in used))
        and filters.matches("driver", (volume.driver,))
        and filters.matches_labels(volume.labels)
        and (not patterns or any(pattern.search(volume.name) for pattern in patterns))
    ]
    return tuple(detail(host, volume) for volume in sorted(chosen, key=lambda volume: volume.name))


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise InvalidParameter(f"invalid filter 'name={text}': {error}") from error
