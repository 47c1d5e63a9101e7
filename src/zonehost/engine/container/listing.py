"""`docker ps`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from zonehost.domain.container import Container, Status
from zonehost.domain.filters import Filters
from zonehost.domain.lifecycle import describe
from zonehost.domain.port_spec import parse_ports
from zonehost.engine.container.links import names_by_links
from zonehost.engine.container.sizes import sizes_of
from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter, NotFound

_KNOWN: Final = frozenset(
    {
        "ancestor",
        "before",
        "exited",
        "expose",
        "health",
        "id",
        "is-task",
        "isolation",
        "label",
        "name",
        "network",
        "publish",
        "since",
        "status",
        "volume",
    }
)
_STATES: Final = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
_HEALTH: Final = ("none", "starting", "healthy", "unhealthy")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """Which containers: running ones unless `all`, at most `limit` (-1: no bound), newest first."""

    all: bool = False
    limit: int = -1
    size: bool = False
    filters: Filters = field(default_factory=Filters)


@dataclass(frozen=True, slots=True)
class Listed:
    """A container in a list. Sizes are in bytes, None if they were not asked for."""

    container: Container
    names: tuple[str, ...]
    """Its own, and those that links to it give it, as `other/alias`; sorted."""
    image_name: str
    status: str
    size_rw: int | None = None
    size_root_fs: int | None = None


async def list_containers(host: Host, request: ListRequest) -> tuple[Listed, ...]:
    """The containers that match.

    Raises:
        InvalidParameter: a filter is unknown or has a value that cannot be. NotFound: `before` or `since` name none.
    """
    links = names_by_links(host)
    matches = _matcher(host, request.filters, links)
    every = request.all or request.limit > 0 or any(name in request.filters for name in ("status", "exited"))
    found: list[Container] = []
    for record in _window(host, request.filters):
        if request.limit > 0 and len(found) == request.limit:
            break
        if (every or record.state.running or record.state.status is Status.RESTARTING) and matches(record):
            found.append(record)
    sizes = await sizes_of(host, found) if request.size else {}
    now = host.clock.now()
    names: dict[tuple[str, str], str] = {}
    return tuple(
        Listed(
            record,
            tuple(sorted((record.name, *links[record.id]))) if record.id in links else (record.name,),
            _name_once(host, record, names),
            describe(record.state, now),
            *sizes.get(record.id, (None, None)),
        )
        for record in found
    )


def image_name(host: Host, record: Container) -> str:
    """The image as it was asked for, or its id if that name means another image now."""
    asked = record.config.image
    if not asked:
        return ""
    try:
        return asked if host.images.find(asked).id == record.image else record.image
    except (NotFound, InvalidParameter):
        return record.image


def _name_once(host: Host, record: Container, names: dict[tuple[str, str], str]) -> str:
    """The image's name, looked up once for all containers of a list that were made alike."""
    key = (record.config.image, record.image)
    if key not in names:
        names[key] = image_name(host, record)
    return names[key]


def _window(host: Host, filters: Filters) -> Iterable[Container]:
    """Newest first, between the bounds of `since` and `before`."""
    records = [zone.record for zone in host.containers if zone.listed]
    before = [host.containers.find(ref).record.created for ref in filters.get("before")]
    since = [host.containers.find(ref).record.created for ref in filters.get("since")]
    return (
        record
        for record in sorted(records, key=lambda record: record.created, reverse=True)
        if all(record.created < bound for bound in before) and all(record.created > bound for bound in since)
    )


def _matcher(host: Host, filters: Filters, links: Mapping[str, Sequence[str]]) -> Callable[[Container], bool]:
    filters.accept(_KNOWN)
    if not filters.names():
        return lambda record: True
    codes = [_exit_code(value) for value in filters.get("exited")]
    for name, what, words in (("status", "state", _STATES), ("health", "health", _HEALTH)):
        for value in filters.get(name):
            if value not in words:
                raise InvalidParameter(
                    f"invalid filter '{name}={value}': invalid value for {what} ({value}): "
                    f"must be one of {', '.join(words)}"
                )
    ancestors = _ancestors(host, filters.get("ancestor"))
    published, exposed = (
        {str(port) for value in filters.get(name) for port in parse_ports(value)} for name in ("publish", "expose")
    )
    networks = {_network_name(host, ref) for ref in filters.get("network")}
    is_task = filters.flag("is-task")

    def matches(record: Container) -> bool:
        state = record.state
        health = state.health.status if state.health is not None else "none"
        ended = state.status in (Status.EXITED, Status.DEAD)
        return (
            filters.matches_pattern("id", record.id)
            and filters.matches_pattern("name", *_written((record.name, *links.get(record.id, ()))))
            and filters.matches_labels(record.config.labels)
            and (not codes or (ended and state.exit_code in codes))
            and filters.matches("status", (state.status,))
            and filters.matches("health", (health,))
            and filters.matches("isolation", ("default",))
            and (ancestors is None or record.image in ancestors)
            and _matches_volume(filters.get("volume"), record)
            and (not networks or not networks.isdisjoint(record.endpoints))
            and (
                not (published or exposed)
                or any(f"{port.host_port}/{port.protocol}" in published for port in state.ports)
                or not exposed.isdisjoint(_exposed(record))
            )
            and is_task is not True
        )

    return matches


def _written(names: Iterable[str]) -> Iterator[str]:
    """Names with and without the stroke that Docker's API puts before them."""
    for name in names:
        yield name
        yield f"/{name}"


def _matches_volume(wanted: tuple[str, ...], record: Container) -> bool:
    return not wanted or any(
        value in (point.name or point.source, point.destination) for point in record.mounts for value in wanted
    )


def _exposed(record: Container) -> set[str]:
    return {str(port) for text in record.config.exposed_ports or {} for port in parse_ports(text)}


def _exit_code(text: str) -> int:
    if not text.lstrip("-").isdecimal():
        raise InvalidParameter(f"invalid filter 'exited={text}'")
    return int(text)


def _ancestors(host: Host, refs: tuple[str, ...]) -> set[str] | None:
    """Ids of the named images and of all that were made from them; None if the filter is absent."""
    if not refs:
        return None
    ids: set[str] = set()
    for ref in refs:
        with suppress(NotFound, InvalidParameter):
            image = host.images.find(ref)
            ids.update((image.id, *(other.id for other in host.images.descendants_of(image))))
    return ids


def _network_name(host: Host, ref: str) -> str:
    try:
        return host.networks.find(ref).name
    except (NotFound, InvalidParameter):
        return ref
