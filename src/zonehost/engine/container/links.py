"""The containers that one is linked to on the default bridge.

In a user's network the resolver knows them: the endpoint has the links.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from zonehost.domain.container import Container
from zonehost.domain.host_config import HostConfig
from zonehost.domain.links import link_variables, parse_link
from zonehost.domain.modes import network_name
from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter, NotFound


def check_links(host: Host, wanted: HostConfig) -> None:
    """Whether a container that is to be made can be linked as it asks.

    Raises:
        InvalidParameter: another container is not there, or has no address of its own.
    """
    if not _on_default_bridge(wanted):
        return
    for text in wanted.links or ():
        owner = host.containers.network_owner(_find(host, parse_link(text)[0]))
        if network_name(owner.host_config.network_mode) == "host":
            raise InvalidParameter(
                "conflicting options: host type networking can't be used with links. "
                "This would result in undefined behavior"
            )


def linked_names(host: Host, record: Container) -> Iterator[tuple[str, str]]:
    """For the hosts file: what each linked container is called, and its address of now.

    Raises:
        InvalidParameter: one does not run. NotFound: one is not on the default bridge.
    """
    for alias, other in _linked(host, record):
        if not other.state.running:
            raise InvalidParameter(f"Cannot link to a non running container: /{other.name} AS /{record.name}/{alias}")
        address = _address(host, other)
        if not address:
            raise NotFound(f"Cannot link to /{other.name}, as it does not belong to the default network")
        yield " ".join(dict.fromkeys((alias, other.config.hostname, other.name))), address


def linked_variables(host: Host, record: Container) -> Iterator[str]:
    """What a process is told of the linked containers that run."""
    for alias, other in _linked(host, record):
        if other.state.running:
            yield from link_variables(alias, record.name, _address(host, other), other.config)


def shown_links(host: Host, record: Container) -> tuple[str, ...] | None:
    """The links as inspect shows them; None if there are none."""
    return tuple(f"/{other.name}:/{record.name}/{alias}" for alias, other in _linked(host, record)) or None


def names_by_links(host: Host) -> dict[str, list[str]]:
    """By ids of containers: what the links of others call them, as `other/alias`."""
    names: dict[str, list[str]] = {}
    for record in host.containers.records():
        if record.host_config.links:
            for alias, other in _linked(host, record):
                names.setdefault(other.id, []).append(f"{record.name}/{alias}")
    return names


def _linked(host: Host, record: Container) -> Iterator[tuple[str, Container]]:
    """What each is called here. As in Docker, a link to a container that was removed is none."""
    if not _on_default_bridge(record.host_config):
        return
    for text in record.host_config.links or ():
        name, alias = parse_link(text)
        with suppress(NotFound):
            yield alias, host.containers.find(name).record


def _on_default_bridge(wanted: HostConfig) -> bool:
    return network_name(wanted.network_mode) == "bridge"


def _find(host: Host, ref: str) -> Container:
    try:
        return host.containers.find(ref).record
    except NotFound as error:
        raise InvalidParameter(f"could not get container for {ref}: {error}") from error


def _address(host: Host, record: Container) -> str:
    """The address on the default bridge of its network, empty if there is none."""
    endpoint = host.containers.network_owner(record).endpoints.get("bridge")
    return endpoint.ipv4 if endpoint is not None else ""
