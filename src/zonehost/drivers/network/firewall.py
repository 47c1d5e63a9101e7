"""The firewall and NAT of an instance as text: a pure function of its state.

Two tables of one name. `inet` has NAT, published ports and the walls between networks; `bridge` drops frames whose
sender is not who it says. All that varies is in sets and maps, so a packet's way does not grow with the number of
zones. No rule here accepts what another table drops: an accept in nftables ends one table's chain only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final

from zonehost.drivers.network.rules import BRIDGE_CHAINS, INET_CHAINS, SETS, Set
from zonehost.linux.netlink_sets import Change, Packed, packed, packed_interval

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


Element = tuple[tuple[str, ...], tuple[str, ...]]
"""The parts of a key, and in a map those of its value."""

Elements = dict[tuple[str, str], list[Element]]
"""By family and name of a set."""


def zone_elements(ports: Iterable[Published], stations: Iterable[Station]) -> Elements:
    """What the tables hold because of these ports and links."""
    found: Elements = {}

    def add(family: str, name: str, *key: str, to: tuple[str, ...] = ()) -> None:
        found.setdefault((family, name), []).append((key, to))

    for port in ports:
        version = _version(port.address)
        target = (port.address, str(port.port))
        if port.routed:
            add("inet", f"routed{version}", port.address, port.protocol, str(port.port))
        elif port.host_ip:
            add("inet", f"ports{version}_at", port.host_ip, port.protocol, str(port.host_port), to=target)
        else:
            add("inet", f"ports{version}", port.protocol, str(port.host_port), to=target)
    for station in stations:
        sender = (station.interface, station.mac)
        add("bridge", "stations", *sender)
        for address in station.addresses:
            add("bridge", f"senders{_version(address)}", *sender, address)
            if ":" in address:
                add("bridge", "claims6", *sender, address)
    return found


def bridge_elements(bridges: Iterable[Bridge], *, metadata: bool) -> Elements:
    """What the inet table holds because of these networks; `metadata`: zones may reach the cloud's."""
    found: Elements = {}

    def add(name: str, *key: str, to: tuple[str, ...] = ()) -> None:
        found.setdefault(("inet", name), []).append((key, to))

    for bridge in bridges:
        add("bridges", bridge.interface)
        if bridge.talking:
            add("talking", bridge.interface, bridge.interface)
        if bridge.internal:
            add("internal", bridge.interface)
        for subnet in bridge.subnets:
            add(f"inside{_version(subnet)}", bridge.interface, subnet)
        for subnet in bridge.masqueraded:
            add(f"masqueraded{_version(subnet)}", bridge.interface, subnet)
        for subnet in bridge.open:
            add(f"open{_version(subnet)}", bridge.interface, subnet)
        for subnet, source in bridge.sources:
            add(f"sources{_version(subnet)}", bridge.interface, subnet, to=(source,))
    if not metadata:
        for address in METADATA:
            add(f"metadata{_version(address)}", address)
    return found


def changes(table: str, elements: Elements, *, add: bool) -> list[Change]:
    """The elements as changes to the tables of this name."""
    return [
        Change(family, table, name, add, tuple(_packed(SETS[family, name], one, add=add) for one in listed))
        for (family, name), listed in elements.items()
        if listed
    ]


def _packed(kind: Set, element: Element, *, add: bool) -> Packed:
    key, to = element
    first, last = packed_interval(kind.key, key) if kind.interval else (packed(kind.key, key), b"")
    return Packed(first, packed(kind.value, to) if add else b"", last)


def removal(table: str) -> str:
    """Commands after which the tables are not there, whether they were or not."""
    return "".join(f"table {family} {table} {{}}\ndelete table {family} {table}\n" for family in ("inet", "bridge"))


def ruleset(table: str, veth_prefix: str, elements: Elements) -> str:
    """Both tables whole, with these elements, in place of what was there: one transaction."""
    inet = "\n".join((*_sets("inet", elements), INET_CHAINS))
    bridge = "\n".join((*_sets("bridge", elements), BRIDGE_CHAINS.replace("VETH", veth_prefix)))
    return f"{removal(table)}table inet {table} {{\n{inet}}}\ntable bridge {table} {{\n{bridge}}}\n"


def merged(*parts: Elements) -> Elements:
    """The elements of all parts, each once."""
    whole: dict[tuple[str, str], dict[Element, None]] = {}
    for part in parts:
        for name, listed in part.items():
            whole.setdefault(name, {}).update(dict.fromkeys(listed))
    return {name: list(listed) for name, listed in whole.items()}


def without(elements: Elements, others: Elements) -> Elements:
    """The elements that the others do not have."""
    return {name: [one for one in listed if one not in others.get(name, ())] for name, listed in elements.items()}


def _version(address: str) -> int:
    return 6 if ":" in address else 4


def _sets(family: str, elements: Elements) -> Iterator[str]:
    for (its, name), kind in SETS.items():
        if its == family:
            listed = ", ".join(_written(kind, one) for one in elements.get((family, name), ()))
            content = f" elements = {{ {listed} }};" if listed else ""
            yield f"\t{'map' if kind.value else 'set'} {name} {{ {kind.declaration};{content} }}"


def _written(kind: Set, element: Element) -> str:
    """An element in nft's words."""
    key, to = element
    text = " . ".join(
        f'"{word}"'
        if part == "ifname"
        else f"0x{IPv6Address(word).packed.hex()}"
        if kind.typeof and part == "ipv6_addr"
        else word
        for part, word in zip(kind.key, key, strict=True)
    )
    return f"{text} : {' . '.join(to)}" if to else text
