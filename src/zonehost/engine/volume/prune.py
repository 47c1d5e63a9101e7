"""`docker volume prune`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zonehost.domain.filters import Filters
from zonehost.domain.phase import Phase
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_prune
from zonehost.engine.volume.remove import remove_unused
from zonehost.engine.volume.users import users_of

_KNOWN: Final = frozenset({"all", "label", "label!"})


@dataclass(frozen=True, slots=True)
class PrunedVolumes:
    """What went, and the bytes that came back."""

    names: tuple[str, ...]
    space: int


async def prune(host: Host, filters: Filters, *, all_unused: bool) -> PrunedVolumes:
    """Remove volumes that no container uses: the anonymous ones, or with the filter `all` (or `all_unused`) any.

    Raises:
        InvalidParameter: a filter is unknown or badly written.
    """
    filters.accept(_KNOWN)
    named_too = all_unused or filters.flag("all") is True
    chosen = [
        volume
        for volume in host.volumes
        if volume.phase is Phase.WHOLE and (volume.anonymous or named_too) and filters.matches_labels(volume.labels)
    ]
    usage = await host.storage.volume_usage(volume.name for volume in chosen)
    removed = []
    for volume in chosen:
        # Looked at now: a container may have come to use it while others were removed.
        if host.volumes.get(volume.name) is volume and not users_of(host, volume.name):
            await remove_unused(host, volume)
            removed.append(volume.name)
    space = sum(usage[name].used for name in removed if name in usage)
    tell_prune(host, "volume", space)
    return PrunedVolumes(tuple(removed), space)
