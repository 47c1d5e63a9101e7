"""`docker events`: what happened and what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from zonehost.domain.event import Event
from zonehost.domain.filters import Filters
from zonehost.domain.reference import parse_reference
from zonehost.engine.host import Host
from zonehost.engine.state.events import Listener
from zonehost.errors import InvalidParameter, NotFound

_KNOWN: Final = frozenset(
    {
        "config",
        "container",
        "daemon",
        "event",
        "image",
        "label",
        "label!",
        "network",
        "node",
        "plugin",
        "scope",
        "secret",
        "service",
        "type",
        "volume",
    }
)
_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsRequest:
    """Bounds in nanoseconds since the epoch. With neither, what comes from now on; else what was is told first."""

    since: int | None = None
    until: int | None = None
    filters: Filters = field(default_factory=Filters)


@contextmanager
def events(host: Host, request: EventsRequest) -> Iterator[AsyncIterator[Event]]:
    """Events that pass the filters, oldest first. None is missed from here on; whoever listens is forgotten at the end.

    Raises:
        InvalidParameter: a filter is unknown.
    """
    request.filters.accept(_KNOWN)
    with host.events.listening() as listener:
        bounded = request.since is not None or request.until is not None
        past = list(host.events.past(request.since or 0, request.until)) if bounded else []
        yield _told(host, request, past, listener)


async def _told(host: Host, request: EventsRequest, past: list[Event], listener: Listener) -> AsyncIterator[Event]:
    for event in past:
        if _passes(host, event, request.filters):
            yield event
    try:
        async with asyncio.timeout(_left(host, request.until)):
            while (coming := await listener.next()) is not None:
                if _passes(host, coming, request.filters):
                    yield coming
    except TimeoutError:
        return


def _left(host: Host, until: int | None) -> float | None:
    return max(0.0, (until - host.clock.now()) / _SECOND) if until is not None else None


def _passes(host: Host, event: Event, filters: Filters) -> bool:
    if not (
        filters.matches("type", (event.type,))
        and filters.matches("scope", ("local",))
        and _action_passes(event, filters)
        and filters.matches_labels(event.attributes)
        and _image_passes(host, event, filters)
    ):
        return False
    return all(
        event.type == kind and _names(event, filters.get(kind))
        for kind in (
            "container",
            "volume",
            "network",
            "daemon",
            "plugin",
            "service",
            "node",
            "secret",
            "config",
        )
        if kind in filters
    )


def _image_passes(host: Host, event: Event, filters: Filters) -> bool:
    """An image is meant by its id or a name; an event of a container is one of its image too."""
    wanted = filters.get("image")
    if not wanted:
        return True
    if event.type == "image":
        return _names(event, wanted) or any(_same_image(host, event.actor, ref) for ref in wanted)
    name = event.attributes.get("image", "")
    return event.type == "container" and (name in wanted or _without_tag(name) in wanted)


def _without_tag(name: str) -> str:
    try:
        return parse_reference(name).familiar_repository
    except InvalidParameter:
        return name


def _action_passes(event: Event, filters: Filters) -> bool:
    """`health_status` means `health_status: healthy` too, `exec_create` that of every command."""
    wanted = filters.get("event")
    return not wanted or any(event.action == action or event.action.startswith(f"{action}:") for action in wanted)


def _names(event: Event, wanted: tuple[str, ...]) -> bool:
    """Whether the event is of a thing that is called so: by id, its beginning, or name."""
    name = event.attributes.get("name", "")
    return any(ref in (event.actor, name) or (event.type != "volume" and event.actor.startswith(ref)) for ref in wanted)


def _same_image(host: Host, image_id: str, ref: str) -> bool:
    try:
        return host.images.find(ref).id == image_id
    except NotFound:
        return False
