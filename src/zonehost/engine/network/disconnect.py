"""`docker network disconnect`: a container leaves a network, also while it runs."""

from __future__ import annotations

import msgspec

from zonehost.domain.container import Container
from zonehost.domain.failpoint import failpoint
from zonehost.domain.network import Endpoint
from zonehost.engine.container.endpoints import plugs_of, release_all
from zonehost.engine.container.etc import rewrite_hosts
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_network
from zonehost.errors import Forbidden, NotFound
from zonehost.ports.network import Plug


async def disconnect(host: Host, ref: str, container: str, *, force: bool) -> None:
    """Take the container's endpoint out of the network; `force` is for what a container that is gone left in it.

    A container that does not run can be taken out of a network that is gone.

    Raises:
        NotFound: there is no such network or container; one that is gone leaves no endpoint here.
        Forbidden: the container is not in it, or must stay.
    """
    try:
        zone = host.containers.find(container)
    except NotFound as error:
        host.networks.find(ref)
        if force:
            raise NotFound(f"endpoint {container} not found") from error
        raise
    async with zone.lock:
        record = zone.record
        if ref in record.endpoints and host.networks.named(ref) is None and not record.state.running:
            await host.keep(zone, msgspec.structs.replace(record, endpoints=_without(record, ref)))
            return
        network = host.networks.find(ref)  # now: who waited for the lock may find another, or none
        endpoint = record.endpoints.get(network.name)
        if endpoint is None:
            raise Forbidden(f"container {record.id} is not connected to network {network.name}")
        if network.driver == "host":
            raise Forbidden(
                "cannot disconnect container from host network - container was created in host network mode"
            )
        rest = _without(record, network.name)
        without = msgspec.structs.replace(record, endpoints=rest)
        if record.state.running:
            await host.networking.disconnect(record.state.pid, plugs_of(host, without), Plug(network, endpoint))
            failpoint("disconnect.made")
        await host.keep(zone, msgspec.structs.replace(zone.record, endpoints=rest))
        release_all(host, [endpoint])
        if record.state.running:
            await rewrite_hosts(host, without)
    tell_network(host, "disconnect", network, container=zone.id)


def _without(record: Container, network: str) -> dict[str, Endpoint]:
    return {name: endpoint for name, endpoint in record.endpoints.items() if name != network}
