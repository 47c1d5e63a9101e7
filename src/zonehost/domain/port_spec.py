"""Ports as Docker writes them: `80/tcp`, `53/udp`, `8000-8010`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from zonehost.domain.host_config import PortBinding
from zonehost.errors import InvalidParameter

_PORT: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(\w+))?")
_PROTOCOLS: Final = ("tcp", "udp", "sctp")
_HIGHEST: Final = 65535


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A port of a zone."""

    number: int
    protocol: str

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


def parse_ports(text: str) -> tuple[Port, ...]:
    """Read a port or a range of them; the protocol is tcp where it is left out.

    Raises:
        InvalidParameter: it is badly written or out of range.
    """
    match = _PORT.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"invalid port specification: {text!r}".replace("'", '"'))
    first = int(match[1])
    last = int(match[2]) if match[2] else first
    protocol = (match[3] or "tcp").lower()
    if protocol not in _PROTOCOLS:
        raise InvalidParameter(f"invalid proto: {protocol}")
    if not first <= last <= _HIGHEST:
        raise InvalidParameter(f"invalid port range: {text}")
    return tuple(Port(number, protocol) for number in range(first, last + 1))


def exposed_ports(asked: Mapping[str, Any] | None) -> tuple[Port, ...]:
    """The ports of a Config's ExposedPorts, each once, in order.

    Raises:
        InvalidParameter: one is badly written.
    """
    return tuple(sorted({port for text in asked or () for port in parse_ports(text)}))


def checked_bindings(
    asked: Mapping[str, tuple[PortBinding, ...] | None] | None,
) -> dict[str, tuple[PortBinding, ...]]:
    """HostConfig's PortBindings with plain keys (`80/tcp`), each binding looked through.

    Raises:
        InvalidParameter: a port, a host port or a host address is badly written.
    """
    plain: dict[str, tuple[PortBinding, ...]] = {}
    for text, bindings in (asked or {}).items():
        for port in parse_ports(text):
            plain[str(port)] = tuple(_checked(binding) for binding in bindings or ()) or (PortBinding(),)
    return plain


def _checked(binding: PortBinding) -> PortBinding:
    if binding.host_port:
        first, dash, last = binding.host_port.partition("-")
        numbers = (first, last) if dash else (first,)
        if not all(number.isdecimal() and int(number) <= _HIGHEST for number in numbers) or int(first) > int(
            numbers[-1]
        ):
            raise InvalidParameter(f'invalid port specification: "{binding.host_port}"')
    if binding.host_ip:
        try:
            ipaddress.ip_address(binding.host_ip)
        except ValueError as error:
            raise InvalidParameter(f"invalid IP address: {binding.host_ip}") from error
    return binding


def published_on(ports: Iterable[Port]) -> dict[str, tuple[PortBinding, ...]]:
    """What `-P` asks for: each port on an ephemeral one of the host."""
    return {str(port): (PortBinding(),) for port in ports}
