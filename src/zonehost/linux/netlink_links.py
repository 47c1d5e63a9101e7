"""Links, addresses, routes and neighbours: rtnetlink(7) requests as values, and its answers as records.

Only encodes and decodes; `netlink.Channel(ROUTE)` carries it. A link is named by its index, or by its name where it
need not exist.
"""

from __future__ import annotations

import errno
import struct
import sys
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, ip_address
from typing import Final

from zonehost.linux.netlink import (
    CREATE,
    DUMP,
    EXCLUSIVE,
    REPLACE,
    Channel,
    Listener,
    Message,
    Request,
    attribute,
    attributes,
    nested,
    text,
    u32,
)

ROUTE: Final = 0
"""The netlink family (NETLINK_ROUTE)."""

Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Subnet = IPv4Network | IPv6Network

_NEWLINK, _DELLINK, _GETLINK, _SETLINK = 16, 17, 18, 19
_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26

_AF_UNSPEC, _AF_INET, _AF_BRIDGE, _AF_INET6 = 0, 2, 7, 10
_UP = 0x1

_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=BBBBBBBBI")

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_PROTINFO, _IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_AF_SPEC, _IFLA_GROUP, _IFLA_NET_NS_FD = 12, 18, 20, 26, 27, 28
_INFO_KIND, _INFO_DATA = 1, 2
_VLAN_ID = 1
_VETH_PEER = 1
_BRPORT_MODE, _BRPORT_ISOLATED = 4, 33
_GROUP_LINK = 1
_INET6_ADDR_GEN_MODE, _GEN_MODE_NONE = 8, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFA_F_NODAD = 0x02
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_TABLE = 1, 4, 5, 6, 15
_TABLE_MAIN, _PROTOCOL_STATIC, _SCOPE_LINK, _UNICAST = 254, 4, 253, 1
_MACVLAN_MODE = 1

MACVLAN_MODES: Final = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}


@dataclass(frozen=True, slots=True)
class Link:
    """A network device. `kind` is empty for hardware and the loopback; `master` and `parent` are 0 for none."""

    index: int
    name: str
    kind: str
    up: bool
    mtu: int
    mac: str
    master: int
    parent: int
    alias: str


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a new veth pair: born in the namespace of a descriptor, under its own name, down."""

    netns: int
    name: str
    mac: str


@dataclass(frozen=True, slots=True)
class Route:
    """A unicast route of the main table; `gateway` is None on the link itself."""

    destination: Subnet
    index: int
    gateway: Address | None


def _mac(value: str) -> bytes:
    return bytes.fromhex(value.replace(":", ""))


def _link_head(index: int = 0, *, flags: int = 0, mask: int = 0, family: int = _AF_UNSPEC) -> bytes:
    return _LINK.pack(family, 0, index, flags, mask)


def _new_link(head: bytes, *parts: bytes) -> Request:
    return Request(_NEWLINK, CREATE | EXCLUSIVE, head + b"".join(parts))


def new_bridge(name: str, *, mac: str, mtu: int = 0) -> Request:
    """A bridge, up. A fixed MAC keeps it from changing with its ports; `mtu` 0 leaves the kernel's."""
    return _new_link(
        _link_head(flags=_UP, mask=_UP),
        text(_IFLA_IFNAME, name),
        attribute(_IFLA_ADDRESS, _mac(mac)),
        u32(_IFLA_MTU, mtu) if mtu else b"",
        nested(_IFLA_LINKINFO, text(_INFO_KIND, "bridge")),
    )


def new_veth(name: str, *, master: int, mtu: int, peer: Peer) -> Request:
    """A veth pair: this end up and a port of the bridge `master`, the peer in another namespace.

    The kernel cannot bring the peer up in the same request: veth_open() wants both ends linked to each other.
    """
    size = u32(_IFLA_MTU, mtu) if mtu else b""
    other = (
        _link_head()
        + text(_IFLA_IFNAME, peer.name)
        + attribute(_IFLA_ADDRESS, _mac(peer.mac))
        + u32(_IFLA_NET_NS_FD, peer.netns)
        + size
    )
    return _new_link(
        _link_head(flags=_UP, mask=_UP),
        text(_IFLA_IFNAME, name),
        size,
        u32(_IFLA_MASTER, master),
        nested(_IFLA_LINKINFO, text(_INFO_KIND, "veth"), nested(_INFO_DATA, attribute(_VETH_PEER, other))),
    )


def new_macvlan(name: str, *, parent: int, mode: str, mac: str, netns: int, mtu: int) -> Request:
    """A macvlan on a link of this namespace, born in another one under its final name; `mode` of MACVLAN_MODES."""
    return _new_link(
        _link_head(),
        text(_IFLA_IFNAME, name),
        attribute(_IFLA_ADDRESS, _mac(mac)),
        u32(_IFLA_LINK, parent),
        u32(_IFLA_MTU, mtu) if mtu else b"",
        u32(_IFLA_NET_NS_FD, netns),
        nested(
            _IFLA_LINKINFO,
            text(_INFO_KIND, "macvlan"),
            nested(_INFO_DATA, u32(_MACVLAN_MODE, MACVLAN_MODES[mode])),
        ),
    )


def new_vlan(name: str, *, parent: int, number: int) -> Request:
    """A link for the frames of one VLAN (802.1Q) on another link; up."""
    return _new_link(
        _link_head(flags=_UP, mask=_UP),
        text(_IFLA_IFNAME, name),
        u32(_IFLA_LINK, parent),
        nested(
            _IFLA_LINKINFO,
            text(_INFO_KIND, "vlan"),
            nested(_INFO_DATA, attribute(_VLAN_ID, number.to_bytes(2, sys.byteorder))),
        ),
    )


def new_dummy(name: str) -> Request:
    """A link that leads nowhere; up."""
    return _new_link(
        _link_head(flags=_UP, mask=_UP), text(_IFLA_IFNAME, name), nested(_IFLA_LINKINFO, text(_INFO_KIND, "dummy"))
    )


def set_link(index: int, *, up: bool | None = None, mtu: int = 0, group: int | None = None, master: int = 0) -> Request:
    """Change a link; with the index of a `master`, make it a port of that bridge."""
    body = _link_head(index, flags=_UP if up else 0, mask=0 if up is None else _UP)
    if mtu:
        body += u32(_IFLA_MTU, mtu)
    if group is not None:
        body += u32(_IFLA_GROUP, group)
    if master:
        body += u32(_IFLA_MASTER, master)
    return Request(_NEWLINK, 0, body)


def name_owner(name: str, alias: str) -> Request:
    """Write on a link whose it is (IFLA_IFALIAS); the kernel takes no alias in the request that makes the link."""
    return Request(_NEWLINK, 0, _link_head() + text(_IFLA_IFNAME, name) + text(_IFLA_IFALIAS, alias))


def without_link_local(index: int) -> Request:
    """Keep IPv6 from giving the link an address of its own (IFLA_INET6_ADDR_GEN_MODE none)."""
    mode = attribute(_INET6_ADDR_GEN_MODE, bytes([_GEN_MODE_NONE]))
    return Request(_NEWLINK, 0, _link_head(index) + nested(_IFLA_AF_SPEC, nested(_AF_INET6, mode)))


def set_port(index: int, *, isolated: bool, hairpin: bool) -> Request:
    """Change a bridge port: an isolated one exchanges frames with the bridge itself, not with other isolated ones; a
    hairpin one may get back what it sent."""
    settings = nested(
        _IFLA_PROTINFO, attribute(_BRPORT_ISOLATED, bytes([isolated])), attribute(_BRPORT_MODE, bytes([hairpin]))
    )
    return Request(_SETLINK, 0, _link_head(index, family=_AF_BRIDGE) + settings)


def delete_link(index: int) -> Request:
    """Delete a link; of a veth pair, both ends."""
    return Request(_DELLINK, 0, _link_head(index))


def delete_link_named(name: str) -> Request:
    """Delete the link of this name."""
    return Request(_DELLINK, 0, _link_head() + text(_IFLA_IFNAME, name))


def delete_group(group: int) -> Request:
    """Delete every link of the group at once: one wait for the kernel's grace period, not one a link."""
    return Request(_DELLINK, 0, _link_head() + u32(_IFLA_GROUP, group))


def _address(kind: int, flags: int, index: int, interface: Interface) -> Request:
    family = _AF_INET if interface.version == 4 else _AF_INET6
    packed = interface.ip.packed
    body = _ADDRESS.pack(family, interface.network.prefixlen, 0, 0, index)
    body += attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
    if interface.version == 6:
        body += u32(_IFA_FLAGS, _IFA_F_NODAD)
    return Request(kind, flags, body)


def new_address(index: int, interface: Interface) -> Request:
    """Give a link an address; an IPv6 one is usable at once, without duplicate address detection. Idempotent."""
    return _address(_NEWADDR, CREATE | REPLACE, index, interface)


def delete_address(index: int, interface: Interface) -> Request:
    """Take an address from a link."""
    return _address(_DELADDR, 0, index, interface)


def _route(kind: int, flags: int, destination: Subnet, index: int, gateway: Address | None, metric: int) -> Request:
    family = _AF_INET if destination.version == 4 else _AF_INET6
    scope = _SCOPE_LINK if gateway is None and family == _AF_INET else 0
    body = _ROUTE.pack(family, destination.prefixlen, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, scope, _UNICAST, 0)
    if destination.prefixlen:
        body += attribute(_RTA_DST, destination.network_address.packed)
    if gateway is not None:
        body += attribute(_RTA_GATEWAY, gateway.packed)
    if metric:
        body += u32(_RTA_PRIORITY, metric)
    return Request(kind, flags, body + u32(_RTA_OIF, index))


def new_route(destination: Subnet, index: int, *, gateway: Address | None = None, metric: int = 0) -> Request:
    """A route of the main table, replacing one to the same destination. Idempotent."""
    return _route(_NEWROUTE, CREATE | REPLACE, destination, index, gateway, metric)


def delete_route(destination: Subnet, index: int, *, gateway: Address | None = None, metric: int = 0) -> Request:
    """Take that route away."""
    return _route(_DELROUTE, 0, destination, index, gateway, metric)


def links(channel: Channel) -> list[Link]:
    """Every link of the channel's namespace."""
    return [_parse_link(message) for message in channel.ask(Request(_GETLINK, DUMP, _link_head()))]


def link_named(channel: Channel, name: str) -> Link | None:
    """The link of this name, or None."""
    try:
        [message] = channel.ask(Request(_GETLINK, 0, _link_head() + text(_IFLA_IFNAME, name)))
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise
    return _parse_link(message)


def addresses(channel: Channel) -> list[tuple[int, Interface]]:
    """Every address of the channel's namespace with its link's index."""
    found: list[tuple[int, Interface]] = []
    for message in channel.ask(Request(_GETADDR, DUMP, _ADDRESS.pack(0, 0, 0, 0, 0))):
        family, prefix, _flags, _scope, index = _ADDRESS.unpack_from(message.body)
        values = dict(attributes(message.body[_ADDRESS.size :]))
        packed = values.get(_IFA_LOCAL, values.get(_IFA_ADDRESS, b""))
        interface = IPv4Interface if family == _AF_INET else IPv6Interface
        found.append((index, interface((packed, prefix))))
    return found


def routes(channel: Channel) -> list[Route]:
    """The unicast routes of the main table."""
    found: list[Route] = []
    for message in channel.ask(Request(_GETROUTE, DUMP, _ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0))):
        family, prefix, _source, _tos, table, _protocol, _scope, kind, _flags = _ROUTE.unpack_from(message.body)
        values = dict(attributes(message.body[_ROUTE.size :]))
        if kind != _UNICAST or table != _TABLE_MAIN or family not in (_AF_INET, _AF_INET6):
            continue
        packed = values.get(_RTA_DST, bytes(4 if family == _AF_INET else 16))
        subnet = IPv4Network if family == _AF_INET else IPv6Network
        gateway = values.get(_RTA_GATEWAY)
        index = int.from_bytes(values.get(_RTA_OIF, b"\0"), "little")
        found.append(Route(subnet((packed, prefix)), index, ip_address(gateway) if gateway else None))
    return found


class LinkMonitor(Listener):
    """Tells which links of this namespace vanish (RTNLGRP_LINK)."""

    def __init__(self) -> None:
        super().__init__(ROUTE, _GROUP_LINK)

    def gone(self) -> list[str]:
        """Names of links that were unlisted since the last call. Leaving a bridge (AF_BRIDGE) is no end."""
        return [
            _parse_link(message).name
            for message in self.news()
            if message.kind == _DELLINK and message.body[0] == _AF_UNSPEC
        ]


def _parse_link(message: Message) -> Link:
    _family, _type, index, flags, _mask = _LINK.unpack_from(message.body)
    values = dict(attributes(message.body[_LINK.size :]))
    information = dict(attributes(values.get(_IFLA_LINKINFO, b"")))
    return Link(
        index=index,
        name=_string(values.get(_IFLA_IFNAME, b"")),
        kind=_string(information.get(_INFO_KIND, b"")),
        up=bool(flags & _UP),
        mtu=_number(values.get(_IFLA_MTU, b"")),
        mac=values.get(_IFLA_ADDRESS, b"").hex(":"),
        master=_number(values.get(_IFLA_MASTER, b"")),
        parent=_number(values.get(_IFLA_LINK, b"")),
        alias=_string(values.get(_IFLA_IFALIAS, b"")),
    )


def _string(value: bytes) -> str:
    return value.rstrip(b"\0").decode()


def _number(value: bytes) -> int:
    return int.from_bytes(value, "little")
