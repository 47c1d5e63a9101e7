"""`docker network prune`."""

from __future__ import annotations

from typing import Final

from zonehost.domain.filters import Filters
from zonehost.domain.phase import Phase
from zonehost.engine.host import Host
from zonehost.engine.image.listing import parse_until
from zonehost.engine.network.remove import remove_unused
from zonehost.engine.network.users import users_of
from zonehost.engine.telling import tell_prune

_KNOWN: Final = frozenset({"until", "label", "label!"})


async def prune(host: Host, filters: Filters) -> tuple[str, ...]:
    """Remove networks that no container has an endpoint in; their names.

    Raises:
        InvalidParameter: a filter is unknown or badly written.
    """
    filters.accept(_KNOWN)
    until = min((parse_until(text, host.clock.now()) for text in filters.get("until")), default=1 << 63)
    removed = []
    for network in host.networks:
        if (
            network.phase is Phase.WHOLE
            and not network.predefined
            and network.created < until
            and filters.matches_labels(network.labels)
            and host.networks.get(network.id) is network
            and not users_of(host, network)
        ):
            await remove_unused(host, network)
            removed.append(network.name)
    tell_prune(host, "network", 0)
    return tuple(removed)
