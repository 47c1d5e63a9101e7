"""The firewall and NAT of an instance as text: a pure function of its state.

Two tables of one name. `inet` has NAT, published ports and the walls between networks; `bridge` drops frames whose
sender is not who it says. All that varies is in sets and maps, so a packet's way does not grow with the number of
zones. No rule here accepts what another table drops: an accept in nftables ends one table's chain only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

METADATA: Final = ("169.254.169.254", "fd00:ec2::254")
"""Where clouds give a machine its credentials."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A network's bridge, and by subnet what holds there.

    `talking`: its zones may talk to each other. `masqueraded`: they leave as the outgoing interface's address;
    `sources`: as this one. `open`: all their ports answer, not only published ones.
    """

    interface: str
    subnets: tuple[str, ...] = ()
    talking: bool = True
    internal: bool = False
    masqueraded: tuple[str, ...] = ()
    sources: tuple[tuple[str, str], ...] = ()
    open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """A host port that leads to a zone's port; the host address is empty for all of the zone address's family.

    A `routed` one answers on the zone's own address instead, and on no host port.
    """

    protocol: str
    host_ip: str
    host_port: int
    address: str
    port: int
    routed: bool = False


@dataclass(frozen=True, slots=True)
class Station:
    """A zone's link: the host's end of it, and what may be sent from the other."""

    interface: str
    mac: str
    addresses: tuple[str, ...]


Elements = dict[tuple[str, str], list[str]]
"""By family and name of a set: its elements, in nft's words."""


def zone_elements(ports: Iterable[Published], stations: Iterable[Station]) -> Elements:
    """What the tables hold because of these ports and links."""
    found: Elements = {}
    for port in ports:
        version = _version(port.address)
        target = f"{port.address} . {port.port}"
        if port.routed:
            key = ("inet", f"routed{version}")
            found.setdefault(key, []).append(f"{port.address} . {port.protocol} . {port.port}")
        elif port.host_ip:
            key = ("inet", f"ports{version}_at")
            found.setdefault(key, []).append(f"{port.host_ip} . {port.protocol} . {port.host_port} : {target}")
        else:
            key = ("inet", f"ports{version}")
            found.setdefault(key, []).append(f"{port.protocol} . {port.host_port} : {target}")
    for station in stations:
        sender = f'"{station.interface}" . {station.mac}'
        found.setdefault(("bridge", "stations"), []).append(sender)
        for address in station.addresses:
            found.setdefault(("bridge", f"senders{_version(address)}"), []).append(f"{sender} . {address}")
            if ":" in address:
                claim = f"{sender} . 0x{IPv6Address(address).packed.hex()}"
                found.setdefault(("bridge", "claims6"), []).append(claim)
    return found


def bridge_elements(bridges: Iterable[Bridge], *, metadata: bool) -> Elements:
    """What the inet table holds because of these networks; `metadata`: zones may reach the cloud's."""
    found: Elements = {}

    def add(name: str, element: str) -> None:
        found.setdefault(("inet", name), []).append(element)

    for bridge in bridges:
        quoted = f'"{bridge.interface}"'
        add("bridges", quoted)
        if bridge.talking:
            add("talking", f"{quoted} . {quoted}")
        if bridge.internal:
            add("internal", quoted)
        for subnet in bridge.subnets:
            add(f"inside{_version(subnet)}", f"{quoted} . {subnet}")
        for subnet in bridge.masqueraded:
            add(f"masqueraded{_version(subnet)}", subnet)
        for subnet in bridge.open:
            add(f"open{_version(subnet)}", f"{quoted} . {subnet}")
        for subnet, source in bridge.sources:
            add(f"sources{_version(subnet)}", f"{subnet} : {source}")
    if not metadata:
        for address in METADATA:
            add(f"metadata{_version(address)}", address)
    return found


def added(table: str, elements: Mapping[tuple[str, str], list[str]]) -> str:
    """Commands that add the elements to the tables of this name."""
    return _each("add", table, elements, keep_values=True)


def deleted(table: str, elements: Mapping[tuple[str, str], list[str]]) -> str:
    """Commands that take the elements away; one that is not there fails the transaction."""
    return _each("delete", table, elements, keep_values=False)


def removal(table: str) -> str:
    """Commands after which the tables are not there, whether they were or not."""
    return "".join(f"table {family} {table} {{}}\ndelete table {family} {table}\n" for family in ("inet", "bridge"))


def ruleset(table: str, veth_prefix: str, elements: Mapping[tuple[str, str], list[str]]) -> str:
    """Both tables whole, with these elements, in place of what was there: one transaction."""
    inet = "\n".join((*_sets("inet", _INET_SETS, elements), _INET_CHAINS))
    bridge = "\n".join((*_sets("bridge", _BRIDGE_SETS, elements), _BRIDGE_CHAINS.replace("VETH", veth_prefix)))
    return f"{removal(table)}table inet {table} {{\n{inet}}}\ntable bridge {table} {{\n{bridge}}}\n"


def merged(*parts: Mapping[tuple[str, str], list[str]]) -> Elements:
    """The elements of all parts, each once."""
    whole: dict[tuple[str, str], dict[str, None]] = {}
    for part in parts:
        for key, elements in part.items():
            whole.setdefault(key, {}).update(dict.fromkeys(elements))
    return {key: list(elements) for key, elements in whole.items()}


def without(elements: Elements, others: Elements) -> Elements:
    """The elements that the others do not have."""
    return {key: [one for one in listed if one not in others.get(key, ())] for key, listed in elements.items()}


def _version(address: str) -> int:
    return 6 if ":" in address else 4


def _each(verb: str, table: str, elements: Mapping[tuple[str, str], list[str]], *, keep_values: bool) -> str:
    lines = []
    for (family, name), listed in elements.items():
        keys = listed if keep_values else [element.partition(" : ")[0] for element in listed]
        if keys:
            lines.append(f"{verb} element {family} {table} {name} {{ {', '.join(keys)} }}\n")
    return "".join(lines)


def _sets(family: str, declared: Mapping[str, str], elements: Mapping[tuple[str, str], list[str]]) -> Iterator[str]:
    for name, kind in declared.items():
        what = "map" if " : " in kind else "set"
        listed = elements.get((family, name), ())
        content = f" elements = {{ {', '.join(listed)} }};" if listed else ""
        yield f"\t{what} {name} {{ {kind};{content} }}"


_INET_SETS: Final = {
    "bridges": "type ifname",
    "talking": "type ifname . ifname",
    "internal": "type ifname",
    "inside4": "type ifname . ipv4_addr; flags interval",
    "inside6": "type ifname . ipv6_addr; flags interval",
    "open4": "type ifname . ipv4_addr; flags interval",
    "open6": "type ifname . ipv6_addr; flags interval",
    "masqueraded4": "type ipv4_addr; flags interval",
    "masqueraded6": "type ipv6_addr; flags interval",
    "sources4": "type ipv4_addr : ipv4_addr; flags interval",
    "sources6": "type ipv6_addr : ipv6_addr; flags interval",
    "metadata4": "type ipv4_addr",
    "metadata6": "type ipv6_addr",
    "ports4": "type inet_proto . inet_service : ipv4_addr . inet_service",
    "ports4_at": "type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service",
    "ports6": "type inet_proto . inet_service : ipv6_addr . inet_service",
    "ports6_at": "type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service",
    "routed4": "type ipv4_addr . inet_proto . inet_service",
    "routed6": "type ipv6_addr . inet_proto . inet_service",
}

_INET_CHAINS: Final = """
	chain guard {
		type filter hook prerouting priority raw; policy accept;
		iifname @bridges ip daddr 127.0.0.0/8 drop
		iifname @bridges ip saddr 127.0.0.0/8 drop
	}
	chain arriving {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 127.0.0.0/8 return
		fib daddr type local goto published
	}
	chain made_here {
		type nat hook output priority -100; policy accept;
		ip6 daddr ::1 return
		fib daddr type local goto published
	}
	chain published {
		meta nfproto vmap { ipv4 : goto published4, ipv6 : goto published6 }
	}
	chain published4 {
		dnat ip to ip daddr . meta l4proto . th dport map @ports4_at
		dnat ip to meta l4proto . th dport map @ports4
	}
	chain published6 {
		dnat ip6 to ip6 daddr . meta l4proto . th dport map @ports6_at
		dnat ip6 to meta l4proto . th dport map @ports6
	}
	chain leaving {
		type nat hook postrouting priority srcnat; policy accept;
		oifname @bridges goto to_bridge
		snat ip to ip saddr map @sources4
		snat ip6 to ip6 saddr map @sources6
		ip saddr @masqueraded4 masquerade
		ip6 saddr @masqueraded6 masquerade
	}
	chain to_bridge {
		ip saddr 127.0.0.0/8 masquerade
		ct status dnat oifname . ip saddr @inside4 masquerade
		ct status dnat oifname . ip6 saddr @inside6 masquerade
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state established,related accept
		iifname @bridges jump from_zone
		oifname @bridges jump to_zone
	}
	chain from_zone {
		ip daddr @metadata4 reject with icmpx admin-prohibited
		ip6 daddr @metadata6 reject with icmpx admin-prohibited
		iifname . oifname @talking accept
		iifname @internal drop
	}
	chain to_zone {
		oifname @internal drop
		ct status dnat accept
		ip daddr . meta l4proto . th dport @routed4 accept
		ip6 daddr . meta l4proto . th dport @routed6 accept
		oifname . ip daddr @open4 accept
		oifname . ip6 daddr @open6 accept
		drop
	}
"""

_BRIDGE_SETS: Final = {
    "stations": "type ifname . ether_addr",
    "senders4": "type ifname . ether_addr . ipv4_addr",
    "senders6": "type ifname . ether_addr . ipv6_addr",
    "claims6": "typeof iifname . ether saddr . @th,64,128",
}

_BRIDGE_CHAINS: Final = """
	chain arriving {
		type filter hook prerouting priority -300; policy accept;
		iifname "VETH*" goto from_zone
	}
	chain from_zone {
		ether type ip udp sport 67 drop
		ether type ip iifname . ether saddr . ip saddr @senders4 accept
		ether type arp goto from_zone_arp
		ether type ip6 goto from_zone6
		counter drop
	}
	chain from_zone_arp {
		iifname . ether saddr . arp saddr ip != @senders4 counter drop
		iifname . arp saddr ether . arp saddr ip != @senders4 counter drop
	}
	chain from_zone6 {
		udp sport 547 drop
		icmpv6 type { nd-router-advert, nd-redirect } drop
		icmpv6 type nd-neighbor-advert iifname . ether saddr . @th,64,128 @claims6 accept
		icmpv6 type nd-neighbor-advert drop
		iifname . ether saddr . ip6 saddr @senders6 accept
		ip6 saddr :: icmpv6 type { nd-neighbor-solicit, mld2-listener-report } iifname . ether saddr @stations accept
		counter drop
	}
"""
