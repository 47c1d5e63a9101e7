"""Which addresses serve a registry's host, in what order, and how far each is trusted. No connections."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

DOCKER_HUB = "docker.io"
_DOCKER_HUB_ADDRESS = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One base address. `verify` false takes any certificate; `mirror` is asked for pulls only."""

    url: str
    verify: bool = True
    mirror: bool = False

    @property
    def host(self) -> str:
        """The address as in `certs.d`: name and port."""
        return self.url.split("://", 1)[1].split("/", 1)[0]

    @property
    def plain(self) -> bool:
        """Whether it speaks HTTP without TLS."""
        return self.url.startswith("http://")


@dataclass(frozen=True, slots=True)
class RegistryPolicy:
    """The daemon's configuration of registries, in Docker's words.

    `insecure` are hosts (name[:port]) and networks (CIDR); `mirrors` are base addresses that serve docker.io.
    """

    insecure: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    certificates: tuple[str, ...] = field(default=("/etc/zonehost/certs.d", "/etc/docker/certs.d"))

    def endpoints(self, host: str, *, pull: bool) -> tuple[Endpoint, ...]:
        """The addresses to try for a host, in order."""
        found: list[Endpoint] = []
        if host == DOCKER_HUB:
            if pull:
                for mirror in self.mirrors:
                    address = mirror.rstrip("/")
                    verify = not self.is_insecure(address.split("://", 1)[-1].split("/", 1)[0])
                    found.append(Endpoint(address, verify=verify, mirror=True))
            host = _DOCKER_HUB_ADDRESS
        if self.is_insecure(host):
            return (*found, Endpoint(f"https://{host}", verify=False), Endpoint(f"http://{host}", verify=False))
        return (*found, Endpoint(f"https://{host}"))

    def is_insecure(self, host: str) -> bool:
        """Whether a host may be spoken to without a verified certificate: it is named so, or it is this machine."""
        name = _name(host)
        if host in self.insecure or name in self.insecure or name == "localhost":
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or any(address in network for network in self._networks())

    def _networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return [ipaddress.ip_network(text, strict=False) for text in self.insecure if "/" in text]


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].split("]", 1)[0]
    return host.rsplit(":", 1)[0] if host.count(":") == 1 else host
