"""What happened, as `docker events` tells it."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a thing of this host; `time` is nanoseconds since the epoch."""

    type: str
    """container, image, volume, network or daemon."""
    action: str
    actor: str
    """The id of what it happened to; for a volume its name."""
    attributes: dict[str, str] = {}
    time: int
