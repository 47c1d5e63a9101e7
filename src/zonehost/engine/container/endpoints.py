"""A container's places in networks: read from what is asked, given addresses at a start, taken back at the end."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from zonehost.domain.config import Config
from zonehost.domain.container import Container
from zonehost.domain.endpoint_settings import EndpointSettings, IpamSettings
from zonehost.domain.host_config import HostConfig, PortBinding
from zonehost.domain.identity import new_id
from zonehost.domain.modes import PREDEFINED, network_name, other_container
from zonehost.domain.network import Endpoint, Network
from zonehost.domain.phase import Phase
from zonehost.domain.port_spec import checked_bindings, exposed_ports, published_on
from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter, NotFound, ZonehostError
from zonehost.ports.network import Plug, ZonePlugs

LINKED: Final = frozenset({"bridge", "macvlan", "ipvlan"})
"""Drivers of networks in which a zone has a link of its own."""
SHARED: Final = (
    "container sharing network namespace with another container or host cannot be connected to any other network"
)
PRIVATE: Final = "container cannot be connected to multiple networks with one of the networks in private (none) mode"
_MAC: Final = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")


def asked_endpoints(
    host: Host, config: Config, host_config: HostConfig, asked: Mapping[str, EndpointSettings]
) -> dict[str, Endpoint]:
    """The endpoints that a new container shall have, by network name; one of an unknown network fails at the start.

    Raises:
        InvalidParameter: the networks do not go together, or an address is badly written or cannot be asked for there.
    """
    if other_container(host_config.network_mode):
        if asked:
            raise InvalidParameter(SHARED)
        return {}
    if config.network_disabled:
        return {}
    primary = _known_name(host, network_name(host_config.network_mode))
    wanted = {_known_name(host, name): settings for name, settings in asked.items()}
    settings = {primary: wanted.pop(primary, None) or wanted.pop("default", None) or EndpointSettings(), **wanted}
    if len(settings) > 1 and primary in ("host", "none"):
        raise InvalidParameter(PRIVATE if primary == "none" else SHARED)
    endpoints = {name: endpoint_of(host, name, given) for name, given in settings.items()}
    if config.mac_address:
        if primary in ("host", "none"):
            raise InvalidParameter("conflicting options: mac-address and the network mode")
        mac = checked_mac(config.mac_address)
        if endpoints[primary].asked_mac not in ("", mac):
            raise InvalidParameter("the container-wide MAC address must match the endpoint-specific MAC address")
        endpoints[primary] = msgspec.structs.replace(endpoints[primary], asked_mac=mac)
    return endpoints


def endpoint_of(host: Host, name: str, settings: EndpointSettings) -> Endpoint:
    """An endpoint as it is asked for, without addresses yet.

    Raises:
        InvalidParameter: an address is badly written, or the network cannot have what is asked.
    """
    ipam = settings.ipam_config or IpamSettings()
    if name in PREDEFINED:
        if ipam.ipv4_address or ipam.ipv6_address:
            raise InvalidParameter("user specified IP address is supported on user defined networks only")
        if settings.aliases:
            raise InvalidParameter("network-scoped alias is supported only for containers in user defined networks")
    for version, address in ((4, ipam.ipv4_address), (6, ipam.ipv6_address)):
        if address and not _is_address(address, version):
            raise InvalidParameter(f"invalid IPv{version} address: {address}")
    for address in ipam.link_local_ips or ():
        if not _is_address(address, 4) and not _is_address(address, 6):
            raise InvalidParameter(f"invalid link-local IP address: {address}")
    network = host.networks.named(name)
    return Endpoint(
        network=network.id if network is not None else "",
        asked_ipv4=ipam.ipv4_address,
        asked_ipv6=ipam.ipv6_address,
        link_local=ipam.link_local_ips or (),
        asked_mac=checked_mac(settings.mac_address) if settings.mac_address else "",
        aliases=settings.aliases or (),
        links=settings.links or (),
        driver_options=settings.driver_opts or {},
        gateway_priority=settings.gw_priority,
    )


def checked_mac(text: str) -> str:
    """A hardware address in its usual form.

    Raises:
        InvalidParameter: it is badly written.
    """
    plain = text.lower().replace("-", ":")
    if _MAC.fullmatch(plain) is None:
        raise InvalidParameter(f"invalid MAC address: {text}")
    return plain


def network_of(host: Host, name: str, endpoint: Endpoint) -> Network:
    """The network of an endpoint, whole.

    Raises:
        NotFound: it is gone, or never was.
    """
    network = host.networks.get(endpoint.network) or host.networks.named(name)
    if network is None or network.phase is not Phase.WHOLE:
        raise NotFound(f"network {name} not found")
    return network


def lease_endpoint(host: Host, name: str, endpoint: Endpoint) -> Endpoint:
    """The endpoint with an id and addresses.

    Raises:
        NotFound: its network is gone. Forbidden, InvalidParameter, SystemFailure: it cannot have an address.
    """
    network = network_of(host, name, endpoint)
    for address in endpoint.link_local:
        if not ipaddress.ip_address(address).is_link_local:
            raise InvalidParameter(f"invalid link local IP address: {address}")
    fresh = msgspec.structs.replace(cleared(endpoint), network=network.id, id=new_id())
    return host.networks.leases(network).lease(fresh) if network.driver in LINKED else fresh


def lease_all(host: Host, record: Container) -> dict[str, Endpoint]:
    """All endpoints of a container with ids and addresses; none is held if one cannot have its own.

    Raises:
        As `lease_endpoint`.
    """
    leased: dict[str, Endpoint] = {}
    try:
        for name, endpoint in record.endpoints.items():
            leased[name] = lease_endpoint(host, name, endpoint)
    except ZonehostError:
        release_all(host, leased.values())
        raise
    return leased


def release_all(host: Host, endpoints: Iterable[Endpoint]) -> None:
    """Give back the addresses. Idempotent."""
    for endpoint in endpoints:
        network = host.networks.get(endpoint.network)
        if network is not None:
            host.networks.leases(network).release(endpoint)


def cleared(endpoint: Endpoint) -> Endpoint:
    """The endpoint as it was asked for, without what it had while the zone ran."""
    return msgspec.structs.replace(
        endpoint, id="", mac="", ipv4="", ipv4_prefix=0, gateway4="", ipv6="", ipv6_prefix=0, gateway6="", interface=""
    )


def plugs_of(host: Host, record: Container) -> ZonePlugs:
    """What the firewall must know of a zone."""
    plugs = []
    for endpoint in record.endpoints.values():
        network = host.networks.get(endpoint.network)
        if network is not None and network.driver in LINKED and endpoint.id:
            plugs.append(Plug(network, endpoint, dns_names(record, network, endpoint)))
    return ZonePlugs(
        zone=record.id,
        plugs=tuple(plugs),
        ports=record.state.ports,
        servers=record.host_config.dns or (),
        pid=record.state.pid,
    )


def with_links(endpoints: Mapping[str, Endpoint], linked: Iterable[Endpoint]) -> dict[str, Endpoint]:
    """The endpoints, with those in place of theirs that came back with a link."""
    by_id = {endpoint.id: endpoint for endpoint in linked}
    return {name: by_id.get(endpoint.id, endpoint) for name, endpoint in endpoints.items()}


def dns_names(record: Container, network: Network, endpoint: Endpoint) -> tuple[str, ...]:
    """What other zones of a network may call this one; the predefined networks know no names."""
    if network.predefined:
        return ()
    return tuple(dict.fromkeys((record.name, *endpoint.aliases, record.short, record.config.hostname)))


def wanted_ports(record: Container) -> dict[str, tuple[PortBinding, ...]]:
    """What shall be published: `-p`, and with `-P` every exposed port that has no binding."""
    bindings = checked_bindings(record.host_config.port_bindings)
    if record.host_config.publish_all_ports:
        bindings = {**published_on(exposed_ports(record.config.exposed_ports)), **bindings}
    return bindings


def _known_name(host: Host, ref: str) -> str:
    try:
        return host.networks.find(ref).name
    except (NotFound, InvalidParameter):
        return ref


def _is_address(text: str, version: int) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    return address.version == version and not mapped and not address.is_unspecified
