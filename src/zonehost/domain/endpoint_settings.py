"""A container's place in a network as Docker's API writes it, asked and answered: `EndpointSettings`."""

from __future__ import annotations

import msgspec

from zonehost.domain.naming import docker_name


class IpamSettings(msgspec.Struct, frozen=True, kw_only=True, rename=docker_name, omit_defaults=True):
    """Addresses that are asked for."""

    ipv4_address: str = msgspec.field(default="", name="IPv4Address")
    ipv6_address: str = msgspec.field(default="", name="IPv6Address")
    link_local_ips: tuple[str, ...] | None = msgspec.field(default=None, name="LinkLocalIPs")


class EndpointSettings(msgspec.Struct, frozen=True, kw_only=True, rename=docker_name):
    """The first group is obeyed when it is asked; the second is only answered."""

    ipam_config: IpamSettings | None = msgspec.field(default=None, name="IPAMConfig")
    links: tuple[str, ...] | None = None
    aliases: tuple[str, ...] | None = None
    mac_address: str = ""
    driver_opts: dict[str, str] | None = None
    gw_priority: int = 0

    network_id: str = msgspec.field(default="", name="NetworkID")
    endpoint_id: str = msgspec.field(default="", name="EndpointID")
    gateway: str = ""
    ip_address: str = msgspec.field(default="", name="IPAddress")
    ip_prefix_len: int = msgspec.field(default=0, name="IPPrefixLen")
    ipv6_gateway: str = msgspec.field(default="", name="IPv6Gateway")
    global_ipv6_address: str = msgspec.field(default="", name="GlobalIPv6Address")
    global_ipv6_prefix_len: int = msgspec.field(default=0, name="GlobalIPv6PrefixLen")
    dns_names: tuple[str, ...] | None = msgspec.field(default=None, name="DNSNames")
