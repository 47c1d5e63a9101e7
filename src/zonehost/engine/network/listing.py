"""`docker network ls`."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from zonehost.domain.filters import Filters
from zonehost.domain.network import Network
from zonehost.domain.phase import Phase
from zonehost.engine.host import Host
from zonehost.engine.network.inspect import NetworkDetail, detail
from zonehost.engine.network.users import users_of
from zonehost.errors import InvalidParameter

_KNOWN: Final = frozenset({"dangling", "driver", "id", "label", "label!", "name", "scope", "type"})


async def list_networks(host: Host, filters: Filters) -> tuple[NetworkDetail, ...]:
    """Networks that pass the filters, by name.

    Raises:
        InvalidParameter: a filter is unknown or badly written.
    """
    filters.accept(_KNOWN)
    for kind in filters.get("type"):
        if kind not in ("builtin", "custom"):
            raise InvalidParameter(f"invalid filter: 'type'='{kind}'")
    dangling = _dangling(filters)
    chosen = [network for network in host.networks if network.phase is Phase.WHOLE and _passes(network, filters)]
    if dangling is not None:
        chosen = [network for network in chosen if dangling == _is_dangling(host, network)]
    return tuple(detail(host, network) for network in sorted(chosen, key=lambda network: network.name))


def _dangling(filters: Filters) -> bool | None:
    with suppress(InvalidParameter):
        return filters.flag("dangling")
    raise InvalidParameter("""invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")""")


def _is_dangling(host: Host, network: Network) -> bool:
    return not network.predefined and not users_of(host, network)


def _passes(network: Network, filters: Filters) -> bool:
    return (
        filters.matches("driver", (network.driver,))
        and filters.matches_pattern("id", network.id)
        and filters.matches_pattern("name", network.name)
        and filters.matches_labels(network.labels)
        and filters.matches("scope", ("local",))
        and filters.matches("type", ("builtin" if network.predefined else "custom",))
    )
