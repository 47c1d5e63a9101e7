"""Who uses a network: every container that has an endpoint in it, running or not, half-made ones too."""

from __future__ import annotations

from zonehost.domain.container import Container
from zonehost.domain.network import Network
from zonehost.engine.host import Host


def users_of(host: Host, network: Network, *, active: bool = False) -> list[Container]:
    """The containers with an endpoint in the network; `active`: only those that run or are being started."""
    return [
        record
        for record in host.containers.records()
        if any(name == network.name or endpoint.network == network.id for name, endpoint in record.endpoints.items())
        and (not active or record.state.running or record.state.starting)
    ]
