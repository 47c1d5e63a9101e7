"""`--link` on the default bridge: how it is written, and the variables that tell of the other container.

Source: opts.ParseLink and daemon/links of Docker's engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from zonehost.domain.config import Config
from zonehost.domain.port_spec import Port, parse_ports
from zonehost.errors import InvalidParameter

_NOT_TOLD: Final = ("HOME", "PATH")


def parse_link(text: str) -> tuple[str, str]:
    """The other container's name and what it is called here; inspect's form `/other:/this/alias` is read too.

    Raises:
        InvalidParameter: it is badly written.
    """
    if not text:
        raise InvalidParameter("empty string specified for links")
    name, *rest = text.split(":")
    if len(rest) > 1:
        raise InvalidParameter(f"bad format for links: {text}")
    if not rest:
        return name, name
    alias = rest[0]
    return (name.removeprefix("/"), alias.rpartition("/")[2]) if alias.startswith("/") else (name, alias)


def link_variables(alias: str, parent: str, address: str, other: Config) -> Iterator[str]:
    """What a container called `parent` is told of the `other` one: its exposed ports, name and environment."""
    prefix = alias.upper().replace("-", "_")
    exposed = (port for text in other.exposed_ports or {} for port in parse_ports(text))
    ports = sorted(exposed, key=lambda port: (port.protocol != "tcp", port.protocol, port.number))
    if ports:
        yield f"{prefix}_PORT={_url(address, ports[0])}"
    for run in _runs(ports):
        for port in run:
            yield from _port_variables(_name(prefix, port), address, port)
        if len(run) > 1:
            name = _name(prefix, run[0])
            for end, port in (("START", run[0]), ("END", run[-1])):
                yield f"{name}_{end}={_url(address, port)}"
                yield f"{name}_PORT_{end}={port.number}"
    yield f"{prefix}_NAME=/{parent}/{alias}"
    for variable in other.env or ():
        name, equals, value = variable.partition("=")
        if equals and name not in _NOT_TOLD:
            yield f"{prefix}_ENV_{name}={value}"


def _runs(ports: Iterable[Port]) -> list[list[Port]]:
    """Ports of one protocol that follow each other, together."""
    runs: list[list[Port]] = []
    for port in ports:
        if runs and port == Port(runs[-1][-1].number + 1, runs[-1][-1].protocol):
            runs[-1].append(port)
        else:
            runs.append([port])
    return runs


def _port_variables(name: str, address: str, port: Port) -> Iterator[str]:
    yield f"{name}={_url(address, port)}"
    yield f"{name}_ADDR={address}"
    yield f"{name}_PORT={port.number}"
    yield f"{name}_PROTO={port.protocol}"


def _name(prefix: str, port: Port) -> str:
    return f"{prefix}_PORT_{port.number}_{port.protocol.upper()}"


def _url(address: str, port: Port) -> str:
    return f"{port.protocol}://{address}:{port.number}"
