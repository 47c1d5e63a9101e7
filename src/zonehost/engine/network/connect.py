"""`docker network connect`: a container comes into one more network, also while it runs."""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress

import msgspec

from zonehost.domain.container import Container
from zonehost.domain.endpoint_settings import EndpointSettings
from zonehost.domain.failpoint import failpoint
from zonehost.domain.modes import network_name, other_container
from zonehost.domain.network import Endpoint, Network
from zonehost.domain.phase import Phase
from zonehost.engine.container.endpoints import PRIVATE, SHARED, endpoint_of, lease_endpoint, plugs_of, release_all
from zonehost.engine.container.etc import rewrite_hosts
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.engine.telling import tell_network
from zonehost.errors import Conflict, Forbidden
from zonehost.ports.network import Plug
from zonehost.ports.records import Put


async def connect(host: Host, ref: str, container: str, settings: EndpointSettings) -> None:
    """Give the container an endpoint in the network.

    Raises:
        NotFound: there is no such network or container. Forbidden: it is in it already, or cannot be.
        InvalidParameter: an address cannot be had there.
    """
    host.networks.find(ref)
    zone = host.containers.find(container)
    async with zone.lock:
        network = host.networks.find(ref)  # who waited for the lock may find another, or none
        record = zone.record
        endpoint = endpoint_of(host, network.name, settings)
        _check(network, record)
        if record.state.running:
            endpoint = await _connect_running(host, zone, network, endpoint)
        else:
            await host.keep(zone, _with(record, network.name, endpoint))
    tell_network(host, "connect", network, container=zone.id)


async def _connect_running(host: Host, zone: Zone, network: Network, asked: Endpoint) -> Endpoint:
    before = zone.record
    leased = lease_endpoint(host, network.name, asked)
    async with AsyncExitStack() as undo:
        undo.push_async_callback(_without, host, zone, before, leased)
        # For readers, so that nobody removes the network. A crash now leaves a link that the next start finds unknown.
        zone.record = _with(before, network.name, leased)
        plugs = plugs_of(host, zone.record)
        made = await host.networking.connect(before.state.pid, plugs, Plug(network, leased))
        undo.push_async_callback(_unplug, host, before, Plug(network, made))
        failpoint("connect.made")
        await host.keep(zone, _with(zone.record, network.name, made))
        undo.pop_all()
    await rewrite_hosts(host, zone.record)
    return made


async def _without(host: Host, zone: Zone, before: Container, leased: Endpoint) -> None:
    """As it was, also on the disk, where somebody else may have written the record meanwhile."""
    release_all(host, [leased])
    zone.record = msgspec.structs.replace(zone.record, endpoints=before.endpoints)
    await host.records.commit(Put(zone.record))


async def _unplug(host: Host, before: Container, plug: Plug) -> None:
    with suppress(Conflict):  # it has ended
        await host.networking.disconnect(before.state.pid, plugs_of(host, before), plug)


def _check(network: Network, record: Container) -> None:
    if record.phase is not Phase.WHOLE:
        raise Conflict(f"container {record.id} is marked for removal and cannot be connected or disconnected")
    if network.name in record.endpoints:
        raise Forbidden(f"endpoint with name {record.name} already exists in network {network.name}")
    mode = network_name(record.host_config.network_mode)
    if network.driver == "host" and mode != "host":
        raise Forbidden("cannot connect container to host network - container must be created in host network mode")
    if other_container(record.host_config.network_mode) or mode == "host":
        raise Forbidden(SHARED)
    if mode == "none" or network.driver == "null":
        raise Forbidden(PRIVATE)


def _with(record: Container, name: str, endpoint: Endpoint) -> Container:
    return msgspec.structs.replace(record, endpoints={**record.endpoints, name: endpoint})
