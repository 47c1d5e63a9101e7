"""Links made and found: bridges on the host, a zone's interfaces in its namespace. Blocking calls for worker threads.

Turns the kernel's errors into ours. Knows wires and bridges, not records; removal of veth pairs is `removal`'s.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address

from zonehost.drivers.network import egress
from zonehost.drivers.network.names import Names
from zonehost.drivers.network.plan import BridgeLink, ParentLink, Wire
from zonehost.errors import Conflict, InvalidParameter, SystemFailure
from zonehost.linux import netlink_links as rt
from zonehost.linux import nftables, sysctl
from zonehost.linux.netlink import Channel, Request, entered

_LOOPBACK = 1
_DEFAULT: dict[int, rt.Subnet] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}


class Wiring:
    """The links of one instance."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._local = threading.local()

    @property
    def _channel(self) -> Channel:
        """The calling thread's, opened while it is in the host's namespace: never ask for it in a zone's."""
        channel: Channel | None = getattr(self._local, "channel", None)
        if channel is None:
            channel = self._local.channel = Channel(rt.ROUTE)
        return channel

    def ensure_bridge(self, bridge: BridgeLink) -> None:
        """Make the bridge, or what of it is not as it shall be. Idempotent.

        Raises:
            Conflict: an interface has this name and is not of this network.
        """
        with _kernel(f"bridge {bridge.name}"):
            link = rt.link_named(self._channel, bridge.name)
            if link is None:
                self._channel.do(
                    rt.new_bridge(bridge.name, mac=bridge.mac, mtu=bridge.mtu), rt.name_owner(bridge.name, bridge.alias)
                )
                link = rt.link_named(self._channel, bridge.name)
                assert link is not None
            elif link.alias != bridge.alias:
                raise Conflict(f"the interface {bridge.name} exists already and is not of this network")
            setting = f"net.ipv4.conf.{bridge.name.replace('.', '/')}"
            sysctl.write(f"{setting}.route_localnet", 1)
            with _missing_is_fine():
                sysctl.write(f"{setting.replace('ipv4', 'ipv6')}.disable_ipv6", 0 if bridge.ipv6 else 1)
            self._channel.do(
                rt.set_link(link.index, up=True), *(rt.new_address(link.index, address) for address in bridge.addresses)
            )

    def ensure_parent(self, parent: ParentLink) -> None:
        """Make the link under a macvlan network, if it is missing and can be made. Idempotent.

        Raises:
            InvalidParameter: it is missing, or what it is to stand on.
        """
        with _kernel(f"interface {parent.name}"):
            if rt.link_named(self._channel, parent.name) is not None:
                return
            base = rt.link_named(self._channel, parent.base) if parent.base else None
            if parent.dummy:
                request = rt.new_dummy(parent.name)
            elif base is not None:
                request = rt.new_vlan(parent.name, parent=base.index, number=parent.vlan)
            else:
                raise InvalidParameter(f"the interface {parent.base or parent.name} does not exist")
            self._channel.do(request, rt.name_owner(parent.name, parent.alias))

    def busy_subnets(self, besides: str = "") -> list[rt.Subnet]:
        """What this host has addresses in or routes to, by other links than `besides`; default routes are no claim."""
        with _kernel("routes"):
            link = rt.link_named(self._channel, besides) if besides else None
            own = link.index if link else 0
            addresses = [interface.network for index, interface in rt.addresses(self._channel) if index != own]
            routes = [r for r in rt.routes(self._channel) if r.destination.prefixlen and r.index != own]
            return [*addresses, *(route.destination for route in routes)]

    def ours(self) -> list[rt.Link]:
        """Every link on the host that belongs to this instance, by name or by alias."""
        prefixes = (self._names.bridge_prefix, self._names.veth_prefix)
        with _kernel("links"):
            return [
                link
                for link in rt.links(self._channel)
                if link.name.startswith(prefixes) or link.alias.startswith(f"{self._names.table} ")
            ]

    def plug(self, netns: int, wires: Sequence[Wire]) -> list[str]:
        """Put the links into the namespace, up and with addresses and routes; their names there. All, or none.

        Raises:
            Conflict: an address or a name is in use there. SystemFailure: the kernel refused.
        """
        made: list[Wire] = []
        outside = self._channel
        with _kernel("network of the container"), entered(netns), Channel(rt.ROUTE) as inside:
            named = _named(wires, {link.name for link in rt.links(inside)})
            try:
                for wire in named:
                    outside.do(_birth(outside, wire, netns))
                    made.append(wire)
                    _set_port(outside, wire)
                _configure(inside, named)
                if filtered := [wire for wire in named if wire.filtered]:
                    nftables.run(egress.rules(self._names.table, filtered))
            except BaseException:
                _delete(inside, [wire.name for wire in made])
                raise
        return [wire.name for wire in named]

    def rejoin(self, wires: Iterable[Wire]) -> None:
        """Make the host's ends of these links ports of their bridges, where they have been put out of them. Idempotent.

        Raises:
            SystemFailure: the kernel refused.
        """
        with _kernel("ports of bridges"):
            links = {link.name: link for link in rt.links(self._channel)}
            for wire in wires:
                port, bridge = links.get(wire.host_name), links.get(wire.parent)
                if port is not None and bridge is not None and port.master != bridge.index:
                    self._channel.do(rt.set_link(port.index, up=True, master=bridge.index))
                    _set_port(self._channel, wire)

    def unplug(self, netns: int, names: Iterable[str], left: Sequence[Wire]) -> None:
        """Delete links from within a namespace, and let the default routes be those of the wires that are left."""
        with _kernel("network of the container"), entered(netns), Channel(rt.ROUTE) as inside:
            _delete(inside, names)
            for wire in left:
                link = rt.link_named(inside, wire.name)
                if link is not None and wire.gateways:
                    inside.do(*_default_routes(wire, link.index))

    def owns(self, bridge: BridgeLink) -> bool:
        """Whether this bridge is there, and of its network."""
        with _kernel(f"bridge {bridge.name}"):
            link = rt.link_named(self._channel, bridge.name)
        return link is not None and link.alias == bridge.alias


def _birth(outside: Channel, wire: Wire, netns: int) -> Request:
    parent = rt.link_named(outside, wire.parent)
    if parent is None:
        raise InvalidParameter(f"the interface {wire.parent} does not exist")
    if wire.kind == "macvlan":
        return rt.new_macvlan(wire.name, parent=parent.index, mode=wire.mode, mac=wire.mac, netns=netns, mtu=wire.mtu)
    peer = rt.Peer(netns, wire.name, wire.mac)
    return rt.new_veth(wire.host_name, master=parent.index, mtu=wire.mtu, peer=peer)


def _set_port(outside: Channel, wire: Wire) -> None:
    link = rt.link_named(outside, wire.host_name) if wire.isolated or wire.hairpin else None
    if link is not None:
        outside.do(rt.set_port(link.index, isolated=wire.isolated, hairpin=wire.hairpin))


def _delete(inside: Channel, names: Iterable[str]) -> None:
    for name in names:
        with _missing_is_fine():
            inside.do(rt.delete_link_named(name))


def _named(wires: Sequence[Wire], taken: set[str]) -> list[Wire]:
    """The wires, each with a name that is free in the namespace."""
    named: list[Wire] = []
    for wire in wires:
        name = wire.name or next(f"{wire.prefix}{n}" for n in range(len(taken) + 1) if f"{wire.prefix}{n}" not in taken)
        taken.add(name)
        named.append(replace(wire, name=name))
    return named


def _configure(inside: Channel, wires: Sequence[Wire]) -> None:
    """Addresses, settings and routes, sent at once; the calling thread is in the namespace."""
    requests = [rt.set_link(_LOOPBACK, up=True)]
    routes: list[Request] = []
    for wire in wires:
        link = rt.link_named(inside, wire.name)
        assert link is not None
        routes += _default_routes(wire, link.index)
        _settings(wire)
        # A link whose MTU is below 1280 has no IPv6 at all (RFC 8200), nor has any of a kernel without it.
        if not wire.ipv6 and sysctl.known(f"net.ipv6.conf.{wire.name.replace('.', '/')}"):
            requests.append(rt.without_link_local(link.index))
        requests.append(rt.set_link(link.index, up=True))
        requests += (rt.new_address(link.index, address) for address in wire.addresses)
    inside.do(*requests, *routes)


def _default_routes(wire: Wire, index: int) -> list[Request]:
    hops = [ip_address(text) for text in wire.gateways]
    return [rt.new_route(_DEFAULT[hop.version], index, gateway=hop) for hop in hops]


def _settings(wire: Wire) -> None:
    name = wire.name.replace(".", "/")
    if wire.ipv6:
        sysctl.write(f"net.ipv6.conf.{name}.accept_ra", 0)
    for setting, value in wire.sysctls:
        try:
            sysctl.write(setting.replace("IFNAME", name), value)
        except OSError as error:
            raise InvalidParameter(f"cannot set sysctl {setting}={value}: {error.strerror}") from error


@contextmanager
def _missing_is_fine() -> Iterator[None]:
    """What is not there need not be taken away or set."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENODEV, errno.ENOENT):
            raise


@contextmanager
def _kernel(what: str) -> Iterator[None]:
    """The kernel's refusals as ours."""
    try:
        yield
    except nftables.NftablesError as error:
        raise SystemFailure(f"{what}: {error}") from error
    except OSError as error:
        sentence = f"{what}: {error.strerror or os.strerror(error.errno or 0)}"
        if error.errno in (errno.EEXIST, errno.EBUSY):
            raise Conflict(sentence) from error
        raise SystemFailure(sentence) from error
