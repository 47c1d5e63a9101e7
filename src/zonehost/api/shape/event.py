"""Events, as `docker events` reads them."""

from __future__ import annotations

from typing import Any

from zonehost.domain.event import Event

_SECOND = 1_000_000_000


def event(value: Event) -> dict[str, Any]:
    """One event; `status`, `id` and `from` are what clients before API 1.22 read, and Docker sends up to 1.51."""
    older: dict[str, str] = {}
    if value.type in ("container", "image"):
        older = {"status": value.action, "id": value.actor}
        if value.type == "container" and "image" in value.attributes:
            older["from"] = value.attributes["image"]
    return {
        **older,
        "Type": value.type,
        "Action": value.action,
        "Actor": {"ID": value.actor, "Attributes": value.attributes},
        "scope": "local",
        "time": value.time // _SECOND,
        "timeNano": value.time,
    }
