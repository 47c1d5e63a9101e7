"""What becomes of a field that a client sends: the four things that may, each with what shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

Body = dict[str, Any]

SENT: Final = object()
"""Inspect shows what was sent."""
NOTHING: Final = object()
"""Inspect does not show it, in Docker neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obeyed:
    """It comes back in inspect as `shown`, and something looks at what it does.

    That is `command`, which sh runs in the zone and which prints what `prints` matches as a whole; or another test,
    named in `elsewhere` as `FILE: TEXT IN IT`. `beside` is what the rest of the body must have for it. Of a field in
    a list or a map, `value` is the whole list or map.
    """

    value: Any
    command: str = ""
    prints: str = ""
    elsewhere: str = ""
    beside: Body = field(default_factory=dict)
    shown: Any = SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The request fails with the status, and the message says `says`."""

    value: Any
    status: int
    says: str
    beside: Body = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """It is for clients: kept and shown, and nothing in the zone could obey it; `why` says so."""

    value: Any
    why: str
    beside: Body = field(default_factory=dict)
    shown: Any = SENT


@dataclass(frozen=True, slots=True)
class Answered:
    """Docker only ever tells it. Clients send back what they were told, and that does nothing."""

    value: Any


Verdict = Obeyed | Refused | Kept | Answered
Verdicts = dict[str, Verdict | tuple[Verdict, ...]]
"""By the field's place, as `walk.fields_of` writes it. Of several verdicts the host decides which one holds."""


def cgroup(legacy: str, unified: str) -> str:
    """What reads a limit in the zone, in whichever hierarchy it is."""
    return f"cat /sys/fs/cgroup/{legacy} 2>/dev/null || cat /sys/fs/cgroup/{unified}"
