"""`docker network inspect`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zonehost.domain.network import Endpoint, Network
from zonehost.engine.host import Host


@dataclass(frozen=True, slots=True)
class NetworkDetail:
    """A network, the options it shows, and the running containers in it: by id, their names and endpoints."""

    network: Network
    options: Mapping[str, str]
    members: Mapping[str, tuple[str, Endpoint]]


async def inspect(host: Host, ref: str) -> NetworkDetail:
    """All about a network.

    Raises:
        NotFound: there is none. InvalidParameter: the reference is ambiguous.
    """
    return detail(host, host.networks.find(ref))


def detail(host: Host, network: Network) -> NetworkDetail:
    """The network with its members."""
    members = {
        record.id: (record.name, endpoint)
        for record in host.containers.records()
        if record.state.running
        for endpoint in record.endpoints.values()
        if endpoint.network == network.id and endpoint.id
    }
    return NetworkDetail(network, host.networking.options_of(network), members)
