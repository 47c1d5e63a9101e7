"""Networks and ports of a container, as inspect and list show them."""

from __future__ import annotations

from typing import Any

import msgspec

from zonehost.api.version import Version
from zonehost.domain.container import Container
from zonehost.domain.endpoint_settings import EndpointSettings, IpamSettings
from zonehost.domain.network import Endpoint
from zonehost.domain.port_spec import exposed_ports

_PREDEFINED = frozenset({"bridge", "host", "none"})


def network_settings(container: Container, version: Version) -> dict[str, Any]:
    """`NetworkSettings` of inspect. The outer addresses are those in the default bridge, as in Docker."""
    running = container.state.running
    default = container.endpoints.get("bridge", Endpoint(network=""))
    return {
        "Bridge": "",
        "SandboxID": container.id if running else "",
        "SandboxKey": f"/proc/{container.state.pid}/ns/net" if running else "",
        "Ports": port_map(container),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": default.id,
        "Gateway": default.gateway4,
        "GlobalIPv6Address": default.ipv6,
        "GlobalIPv6PrefixLen": default.ipv6_prefix,
        "IPAddress": default.ipv4,
        "IPPrefixLen": default.ipv4_prefix,
        "IPv6Gateway": default.gateway6,
        "MacAddress": default.mac,
        "Networks": networks(container, version),
    }


def networks(container: Container, version: Version) -> dict[str, Any]:
    """The networks that a container is in, by name."""
    return {name: _settings(container, name, endpoint, version) for name, endpoint in container.endpoints.items()}


def port_map(container: Container) -> dict[str, list[dict[str, str]] | None]:
    """`Ports` of inspect: where each port answers on the host, null for one that is only exposed."""
    if not container.state.running or container.host_config.network_mode == "host":
        return {}
    exposed = exposed_ports(container.config.exposed_ports)
    ports: dict[str, list[dict[str, str]] | None] = {str(port): None for port in exposed}
    for published in container.state.ports:
        key = f"{published.port}/{published.protocol}"
        bound = ports[key] = ports.get(key) or []
        # A port of a network in gateway mode `routed` has no host port.
        bound.append({"HostIp": published.host_ip, "HostPort": str(published.host_port or "")})
    return ports


def port_list(container: Container) -> list[dict[str, Any]]:
    """`Ports` of list: the same, one line each."""
    listed: list[dict[str, Any]] = []
    for key, bound in port_map(container).items():
        port, _, protocol = key.partition("/")
        inside = {"PrivatePort": int(port), "Type": protocol}
        if bound is None:
            listed.append(inside)
        else:
            listed.extend({"IP": b["HostIp"], **inside, **_public(b["HostPort"])} for b in bound)
    return listed


def _public(host_port: str) -> dict[str, int]:
    return {"PublicPort": int(host_port)} if host_port else {}


def _settings(container: Container, name: str, endpoint: Endpoint, version: Version) -> dict[str, Any]:
    own = () if name in _PREDEFINED else _dns_names(container, endpoint)
    # Before API 1.45 the short id was among the aliases.
    aliases = endpoint.aliases + ((container.short,) if own and version < (1, 45) else ())
    settings = EndpointSettings(
        ipam_config=_ipam(endpoint),
        links=endpoint.links or None,
        aliases=aliases or None,
        mac_address=endpoint.mac or endpoint.asked_mac,
        driver_opts=endpoint.driver_options or None,
        gw_priority=endpoint.gateway_priority,
        network_id=endpoint.network,
        endpoint_id=endpoint.id,
        gateway=endpoint.gateway4,
        ip_address=endpoint.ipv4,
        ip_prefix_len=endpoint.ipv4_prefix,
        ipv6_gateway=endpoint.gateway6,
        global_ipv6_address=endpoint.ipv6,
        global_ipv6_prefix_len=endpoint.ipv6_prefix,
        dns_names=own or None,
    )
    raw: dict[str, Any] = msgspec.to_builtins(settings)
    return raw


def _ipam(endpoint: Endpoint) -> IpamSettings | None:
    if not (endpoint.asked_ipv4 or endpoint.asked_ipv6 or endpoint.link_local):
        return None
    return IpamSettings(
        ipv4_address=endpoint.asked_ipv4,
        ipv6_address=endpoint.asked_ipv6,
        link_local_ips=endpoint.link_local or None,
    )


def _dns_names(container: Container, endpoint: Endpoint) -> tuple[str, ...]:
    """The names that others in a network find a container by, each once."""
    hostname = (container.config.hostname,) if container.config.hostname else ()
    return tuple(dict.fromkeys((container.name, *endpoint.aliases, container.short, *hostname)))
