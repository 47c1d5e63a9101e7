"""What records mean in the kernel: a network's bridge, a zone's links, routes and names. Pure.

`wiring` makes the links, `firewall` the rules; neither reads a record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Interface, IPv6Address, IPv6Interface, IPv6Network, ip_interface, ip_network

from zonehost.domain.ipam import Base, Subnet
from zonehost.domain.network import Endpoint, Network
from zonehost.drivers.network import firewall
from zonehost.drivers.network.names import Names
from zonehost.drivers.network.options import bridge_options, endpoint_options, macvlan_options
from zonehost.drivers.network.resolver import views
from zonehost.ports.network import Plug, ZonePlugs

Interface = IPv4Interface | IPv6Interface

LINKED = ("bridge", "macvlan")
"""Drivers of networks that give a zone a link."""

_LAST_VLAN = 4094


@dataclass(frozen=True, slots=True)
class BridgeLink:
    """A network's bridge as a link; `alias` says in the kernel whose it is."""

    name: str
    alias: str
    mac: str
    mtu: int
    addresses: tuple[Interface, ...]
    ipv6: bool


@dataclass(frozen=True, slots=True)
class Wire:
    """A zone's link as it shall be. `parent` is the bridge of a veth pair, or the host's link under a macvlan.

    Without a name it gets the first free one of its prefix. `gateways` are the next hops of default routes through it.
    Where bridged frames pass the IP hooks (br_netfilter), a zone that calls its own published port is a `hairpin`.
    """

    kind: str
    parent: str
    host_name: str
    name: str
    prefix: str
    mac: str
    mtu: int
    addresses: tuple[Interface, ...]
    gateways: tuple[str, ...] = ()
    isolated: bool = False
    hairpin: bool = False
    mode: str = ""
    filtered: bool = False
    sysctls: tuple[tuple[str, str], ...] = ()

    @property
    def ipv6(self) -> bool:
        """Whether it has an IPv6 address."""
        return any(address.version == 6 for address in self.addresses)


@dataclass(frozen=True, slots=True)
class ParentLink:
    """The host's link under a macvlan network; `alias` says whose it is, if we made it.

    What can be made where it is missing: the `vlan` of that number on `base`; without a base a link that leads nowhere.
    """

    name: str
    alias: str
    base: str = ""
    vlan: int = 0
    dummy: bool = False


def subnets(*networks: Network) -> list[Subnet]:
    """The subnets of networks."""
    return [ip_network(pool.subnet) for network in networks for pool in network.pools]


def own_base6(names: Names, machine: str) -> Base:
    """The unique local block (RFC 4193) that an instance on this machine cuts IPv6 subnets from."""
    digest = sha256(f"{machine} {names.table}".encode()).digest()
    return Base(IPv6Network((b"\xfd" + digest[:5] + bytes(10), 48)), 64)


def bridge_name(names: Names, network: Network) -> str:
    """The bridge of a bridge network."""
    return bridge_options(network).name or names.bridge(network.id)


def bridge_link(names: Names, network: Network) -> BridgeLink:
    """The bridge of a bridge network, whole."""
    options = bridge_options(network)
    addresses = tuple(
        ip_interface(f"{pool.gateway}/{ip_network(pool.subnet).prefixlen}")
        for pool in network.pools
        if pool.gateway
        and not (options.inhibit_ipv4 and ":" not in pool.gateway)
        and not _isolated(network, pool.gateway)
    )
    seed = bytes.fromhex(network.id[:10].ljust(10, "0"))
    return BridgeLink(
        name=bridge_name(names, network),
        alias=f"{names.table} {network.id}",
        mac=(b"\x02" + seed).hex(":"),
        mtu=options.mtu,
        addresses=addresses,
        ipv6=network.ipv6,
    )


def parent_link(names: Names, network: Network) -> ParentLink:
    """The parent of a macvlan network."""
    name = macvlan_options(network).parent
    alias = f"{names.table} {network.id}"
    if not name:
        return ParentLink(names.bridge(network.id), alias, dummy=True)
    base, _, number = name.rpartition(".")
    if base and number.isdecimal() and 0 < int(number) <= _LAST_VLAN:
        return ParentLink(name, alias, base, int(number))
    return ParentLink(name, alias)


def _isolated(network: Network, gateway: str) -> bool:
    options = bridge_options(network)
    return (options.mode6 if ":" in gateway else options.mode4) == "isolated"


def wall(names: Names, network: Network) -> firewall.Bridge:
    """What the firewall does for a bridge network."""
    options = bridge_options(network)
    name = bridge_name(names, network)
    modes = {4: options.mode4, 6: options.mode6}
    given = {4: options.source4, 6: options.source6}
    own = subnets(network)
    outward = [s for s in own if options.masquerade and not network.internal and modes[s.version].startswith("nat")]
    return firewall.Bridge(
        interface=name,
        subnets=tuple(map(str, own)),
        talking=options.talking,
        internal=network.internal,
        masqueraded=tuple(str(s) for s in outward if not given[s.version]),
        sources=tuple((str(s), given[s.version]) for s in outward if given[s.version]),
        open=tuple(str(s) for s in own if modes[s.version] == "nat-unprotected"),
    )


def wires(names: Names, zone: ZonePlugs) -> dict[str, Wire]:
    """The links that put a zone into its networks, by endpoint id; networks without links have none."""
    hops: dict[str, list[str]] = {}
    for version in (4, 6):
        plug = gateway_plug(zone.plugs, version)
        if plug is not None:
            endpoint = plug.endpoint
            hops.setdefault(endpoint.id, []).append(endpoint.gateway6 if version == 6 else endpoint.gateway4)
    return {
        plug.endpoint.id: _wire(names, plug, tuple(hops.get(plug.endpoint.id, ())), hairpin=bool(zone.ports))
        for plug in zone.plugs
        if plug.network.driver in LINKED
    }


def _wire(names: Names, plug: Plug, gateways: tuple[str, ...], *, hairpin: bool) -> Wire:
    endpoint, network = plug.endpoint, plug.network
    addresses = tuple(
        ip_interface(f"{address}/{prefix}")
        for address, prefix in (
            (endpoint.ipv4, endpoint.ipv4_prefix),
            (endpoint.ipv6, endpoint.ipv6_prefix),
            *((text, 64 if ":" in text else 16) for text in endpoint.link_local),
        )
        if address
    )
    asked = endpoint_options(endpoint)
    if network.driver == "macvlan":
        macvlan = macvlan_options(network)
        parent = parent_link(names, network)
        return Wire(
            kind="macvlan",
            parent=parent.name,
            host_name="",
            name=endpoint.interface or asked.interface,
            prefix=macvlan.prefix,
            mac=endpoint.mac,
            mtu=macvlan.mtu,
            addresses=addresses,
            gateways=() if parent.dummy else gateways,
            mode=macvlan.mode,
            filtered=macvlan.filtered,
            sysctls=asked.sysctls,
        )
    options = bridge_options(network)
    return Wire(
        kind="veth",
        parent=bridge_name(names, network),
        host_name=names.veth(endpoint.id),
        name=endpoint.interface or asked.interface,
        prefix=options.prefix,
        mac=endpoint.mac,
        mtu=options.mtu,
        addresses=addresses,
        gateways=gateways,
        isolated=not options.talking,
        hairpin=hairpin,
        sysctls=asked.sysctls,
    )


def gateway_plug(plugs: Sequence[Plug], version: int) -> Plug | None:
    """The plug with the zone's default route: highest priority, then the network's name, as in Docker."""
    able = [plug for plug in plugs if (plug.endpoint.gateway6 if version == 6 else plug.endpoint.gateway4)]
    return min(able, key=lambda plug: (-plug.endpoint.gateway_priority, plug.network.name), default=None)


def stations(names: Names, zone: ZonePlugs) -> list[firewall.Station]:
    """The senders that a zone is, by its links to bridges."""
    return [
        firewall.Station(
            interface=names.veth(plug.endpoint.id), mac=plug.endpoint.mac, addresses=_sender_addresses(plug.endpoint)
        )
        for plug in zone.plugs
        if plug.network.driver == "bridge"
    ]


def _sender_addresses(endpoint: Endpoint) -> tuple[str, ...]:
    own = [endpoint.ipv4, endpoint.ipv6, *endpoint.link_local]
    if endpoint.ipv6:
        own.append(str(link_local(endpoint.mac)))
    return tuple(filter(None, own))


def link_local(mac: str) -> IPv6Address:
    """The address that the kernel gives a link by itself (modified EUI-64, RFC 4291 appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    return IPv6Address(b"\xfe\x80" + bytes(6) + bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:])


def has_names(zone: ZonePlugs) -> bool:
    """Whether the zone is in a network whose zones know each other by name: any but the predefined ones."""
    return any(not plug.network.predefined for plug in zone.plugs)


def view(zone: ZonePlugs) -> views.Zone:
    """What a zone is called, and what it may resolve."""
    return views.Zone(
        id=zone.zone,
        places=tuple(
            views.Place(
                network=plug.network.id,
                network_name=plug.network.name,
                names=plug.names,
                ipv4=plug.endpoint.ipv4,
                ipv6=plug.endpoint.ipv6,
                links=tuple(_link(text) for text in plug.endpoint.links),
            )
            for plug in zone.plugs
            if not plug.network.predefined
        ),
        servers=zone.servers,
        outside=any(not plug.network.internal for plug in zone.plugs),
    )


def _link(text: str) -> tuple[str, str]:
    """`--link NAME:ALIAS` as alias and name; without an alias it is the name itself."""
    name, _, alias = text.partition(":")
    return alias or name, name
