"""`docker network rm`."""

from __future__ import annotations

import msgspec

from zonehost.domain.network import Network
from zonehost.domain.phase import Phase
from zonehost.engine.host import Host
from zonehost.engine.network.create import discard
from zonehost.engine.network.users import users_of
from zonehost.engine.telling import tell_network
from zonehost.errors import Forbidden
from zonehost.ports.records import Put


async def remove(host: Host, ref: str) -> None:
    """Remove a network in which no container runs.

    Raises:
        NotFound: there is none. Forbidden: it is predefined, or in use.
    """
    network = host.networks.find(ref)
    if network.predefined:
        raise Forbidden(f"{network.name} is a pre-defined network and cannot be removed")
    users = users_of(host, network, active=True)
    if users:
        named = ", ".join(
            f'name:"{record.name}" id:"{record.endpoints[network.name].id[:12]}"'
            for record in users
            if network.name in record.endpoints
        )
        raise Forbidden(f"error while removing network: network {network.name} has active endpoints ({named})")
    await remove_unused(host, network)


async def remove_unused(host: Host, network: Network) -> None:
    """Remove a network that no running container is in; from the first moment on, none can come into it."""
    removing = msgspec.structs.replace(network, phase=Phase.REMOVING)
    host.networks.put(removing)
    await host.records.commit(Put(removing))
    await discard(host, removing)
    tell_network(host, "destroy", network)
