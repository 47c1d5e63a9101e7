"""Networks, endpoints and published ports, as records."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from zonehost.domain.phase import Phase


class PublishedPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port of a zone that answers on the host at `host_port`; 0: on the zone's own address, without NAT."""

    port: int
    protocol: str
    host_ip: str
    host_port: int


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A container's place in a network: what was asked (the first group), and what it has while it runs."""

    network: str
    """The network's id."""
    asked_ipv4: str = ""
    asked_ipv6: str = ""
    link_local: tuple[str, ...] = ()
    asked_mac: str = ""
    aliases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    driver_options: dict[str, str] = {}
    gateway_priority: int = 0

    id: str = ""
    mac: str = ""
    ipv4: str = ""
    ipv4_prefix: int = 0
    gateway4: str = ""
    ipv6: str = ""
    ipv6_prefix: int = 0
    gateway6: str = ""
    interface: str = ""


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet that a network gives addresses from, in CIDR notation."""

    subnet: str
    ip_range: str = ""
    gateway: str = ""
    auxiliary: dict[str, str] = {}


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network, whole: the unit that the store keeps."""

    kind: ClassVar[str] = "network"

    id: str
    name: str
    driver: str
    created: int
    pools: tuple[Pool, ...] = ()
    ipam_driver: str = "default"
    ipam_options: dict[str, str] = {}
    ipv4: bool = True
    ipv6: bool = False
    internal: bool = False
    attachable: bool = False
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    phase: Phase = Phase.MAKING
    predefined: bool = False

    @property
    def key(self) -> str:
        """What the store finds it by."""
        return self.id
