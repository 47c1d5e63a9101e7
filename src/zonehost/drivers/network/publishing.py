"""Published ports, from what is asked to where they lead. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_interface

from zonehost.domain.host_config import PortBinding
from zonehost.drivers.network import firewall
from zonehost.drivers.network.names import Names
from zonehost.drivers.network.options import bridge_options
from zonehost.drivers.network.plan import gateway_plug, stations
from zonehost.drivers.network.reservations import Wanted
from zonehost.errors import InvalidParameter
from zonehost.ports.network import Plug, ZonePlugs

_PROTOCOLS = ("tcp", "udp", "sctp")
_LARGEST_PORT = 65535


def _port_plug(plugs: Sequence[Plug], version: int) -> Plug | None:
    """The plug that published ports lead to: that of the default route, if it is on a bridge."""
    plug = gateway_plug([plug for plug in plugs if plug.network.driver == "bridge"], version)
    return plug if plug is None or (plug.endpoint.ipv6 if version == 6 else plug.endpoint.ipv4) else None


def published(zone: ZonePlugs) -> list[firewall.Published]:
    """Where the host's ports lead for a zone."""
    found: list[firewall.Published] = []
    for port in zone.ports:
        version = _version(port.host_ip)
        plug = _port_plug(zone.plugs, version)
        if plug is None:
            continue
        found.append(
            firewall.Published(
                protocol=port.protocol,
                host_ip="" if port.host_ip in ("0.0.0.0", "::") else port.host_ip,
                host_port=port.host_port,
                address=plug.endpoint.ipv6 if version == 6 else plug.endpoint.ipv4,
                port=port.port,
                routed=_is_routed(zone.plugs, version),
            )
        )
    return found


def _version(address: str) -> int:
    return 6 if ":" in address else 4


def _is_routed(plugs: Sequence[Plug], version: int) -> bool:
    """Whether published ports answer on the zone's own address of this family."""
    plug = _port_plug(plugs, version)
    options = bridge_options(plug.network) if plug else None
    return options is not None and (options.mode6 if version == 6 else options.mode4) == "routed"


def elements(names: Names, zones: Iterable[ZonePlugs]) -> firewall.Elements:
    """What the firewall holds for these zones."""
    every = list(zones)
    return firewall.zone_elements(
        [port for zone in every for port in published(zone)],
        [station for zone in every for station in stations(names, zone)],
    )


def wanted_ports(asked: Mapping[str, Sequence[PortBinding]], plugs: Sequence[Plug], default_ip: str) -> list[Wanted]:
    """The host ports that bindings ask for; `default_ip` is the host address of those that name none, "" for all.

    Raises:
        InvalidParameter: a port, a protocol or an address cannot be, or no network of the zone can be reached by it.
    """
    found: list[Wanted] = []
    for key, bindings in asked.items():
        number, _, protocol = key.partition("/")
        protocol = protocol or "tcp"
        if not number.isdecimal() or not 0 < int(number) <= _LARGEST_PORT:
            raise InvalidParameter(f"invalid port specification: {key}")
        if protocol not in _PROTOCOLS:
            raise InvalidParameter(f"invalid port specification: {key}: unknown protocol {protocol}")
        for binding in bindings:
            first, last = _host_range(binding.host_port)
            addresses = _host_addresses(key, binding.host_ip or _default_ip(plugs, default_ip), plugs)
            routed = tuple(address for address in addresses if _is_routed(plugs, _version(address)))
            bound = tuple(address for address in addresses if address not in routed)
            found.append(Wanted(int(number), protocol, bound, first, last, routed))
    return found


def _default_ip(plugs: Sequence[Plug], default_ip: str) -> str:
    plug = _port_plug(plugs, 4)
    return (bridge_options(plug.network).host_ip if plug else "") or default_ip


def _host_range(text: str) -> tuple[int, int]:
    if not text:
        return 0, 0
    first, _, last = text.partition("-")
    last = last or first
    if not first.isdecimal() or not last.isdecimal() or not int(first) <= int(last) <= _LARGEST_PORT:
        raise InvalidParameter(f"invalid port specification: {text}")
    return int(first), int(last)


def _host_addresses(key: str, text: str, plugs: Sequence[Plug]) -> tuple[str, ...]:
    able = [version for version in (4, 6) if _port_plug(plugs, version)]
    if not able:
        raise InvalidParameter(f"cannot publish port {key}: no network of the container can be reached from the host")
    if not text:
        return tuple({4: "0.0.0.0", 6: "::"}[version] for version in able)
    try:
        address = ip_interface(text).ip
    except ValueError:
        raise InvalidParameter(f"invalid host address {text} for port {key}") from None
    if address.version not in able:
        raise InvalidParameter(
            f"cannot publish port {key} on {text}: the container has no IPv{address.version} address to lead it to"
        )
    if address.version == 6 and address.is_loopback:
        # rt6_need_strict() in the kernel: an answer to ::1 is taken from the loopback link only, never from a bridge.
        raise InvalidParameter(f"cannot publish port {key} on {text}: Linux cannot translate ::1; use 127.0.0.1")
    return (str(address),)
