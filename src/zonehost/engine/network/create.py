"""`docker network create`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import msgspec

from zonehost.domain.failpoint import failpoint
from zonehost.domain.identity import new_id
from zonehost.domain.ipam import check_overlap, check_pools, with_gateway
from zonehost.domain.modes import PREDEFINED
from zonehost.domain.network import Network, Pool
from zonehost.domain.phase import Phase
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_network
from zonehost.errors import Conflict, Forbidden, InvalidParameter, Unsupported
from zonehost.ports.records import Delete, Put

_WITHOUT_ADDRESSES: Final = frozenset({"host", "none", "null"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRequest:
    """What a client asks for. `ipv6` None leaves it to the pools."""

    name: str
    driver: str = ""
    ipv4: bool = True
    ipv6: bool | None = None
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: str = ""
    scope: str = ""
    ipam_driver: str = ""
    ipam_options: dict[str, str] = field(default_factory=dict)
    pools: tuple[Pool, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NetworkCreated:
    """The network, and what a client should know about it."""

    network: Network
    warning: str = ""


async def create(host: Host, request: NetworkRequest) -> NetworkCreated:
    """Make a network; it is whole when this returns, or nothing of it is left.

    Raises:
        InvalidParameter: the name, a subnet or an option cannot be. Conflict: the name is taken.
        Forbidden: a subnet overlaps another, or the name is reserved. Unsupported: an option that zonehost lacks.
    """
    _check(host, request)
    async with AsyncExitStack() as undo:
        network = await _drawn(host, request, undo)
        _check_name(host, request.name)
        host.networks.put(network)
        undo.push_async_callback(discard, host, network)
        await host.records.commit(Put(network))
        failpoint("network.recorded")
        await host.networking.create(network)
        failpoint("network.made")
        whole = msgspec.structs.replace(network, phase=Phase.WHOLE)
        await host.records.commit(Put(whole))
        undo.pop_all()
    host.networks.put(whole)
    tell_network(host, "create", whole)
    return NetworkCreated(whole)


async def discard(host: Host, network: Network) -> None:
    """Take a network away, its record last. May be repeated."""
    await host.networking.remove(network)
    failpoint("network.discarded")
    await host.records.commit(Delete(Network.kind, network.id))
    host.networks.drop(network)


def _check(host: Host, request: NetworkRequest) -> None:
    if not request.name.strip():
        raise InvalidParameter("invalid name: name is empty")
    if request.name in PREDEFINED or request.name == "default":
        raise Forbidden(f"operation is not permitted on predefined {request.name} network")
    if request.driver in _WITHOUT_ADDRESSES:
        raise Forbidden(f'only one instance of "{request.driver}" network is allowed')
    for option, asked in (
        ("ingress", request.ingress),
        ("config-only", request.config_only),
        ("config-from", bool(request.config_from)),
        (f"scope {request.scope}", request.scope not in ("", "local")),
        (f"IPAM driver {request.ipam_driver}", request.ipam_driver not in ("", "default")),
    ):
        if asked:
            raise Unsupported(f"network option {option} is not supported")
    if request.ipam_options:
        raise Unsupported(f"IPAM option {min(request.ipam_options)} is not supported")
    _check_name(host, request.name)
    check_pools(request.pools)


def _check_name(host: Host, name: str) -> None:
    known = host.networks.named(name)
    if known is not None and known.phase is not Phase.WHOLE:
        raise Conflict(f"network {name} is just being made or removed")
    if known is not None:
        raise Conflict(f"network with name {name} already exists")


async def _drawn(host: Host, request: NetworkRequest, undo: AsyncExitStack) -> Network:
    """The record of the network asked for, with subnets chosen where none are given, which `undo` gives back."""
    six = any(":" in pool.subnet for pool in request.pools)
    four = any("." in pool.subnet for pool in request.pools)
    ipv6 = six if request.ipv6 is None else request.ipv6
    if six and not ipv6:
        raise InvalidParameter("IPv6 subnet given, but IPv6 is disabled for the network")
    network = Network(
        id=new_id(),
        name=request.name,
        driver=request.driver or "bridge",
        created=host.clock.now(),
        pools=request.pools,
        ipam_options=request.ipam_options,
        ipv4=request.ipv4,
        ipv6=ipv6,
        internal=request.internal,
        attachable=request.attachable,
        options=request.options,
        labels=request.labels,
    )
    host.networking.check(network)
    check_overlap(request.pools, host.networks)
    need4, need6 = request.ipv4 and not four, ipv6 and not six
    chosen = await host.networking.choose_pools(host.networks, ipv4=need4, ipv6=need6) if need4 or need6 else ()
    undo.callback(host.networking.release_pools, chosen)
    pools = tuple(with_gateway(pool) for pool in (*request.pools, *chosen))
    # While subnets were chosen another network may have taken them.
    check_overlap(pools, host.networks)
    return msgspec.structs.replace(network, pools=pools)
