"""When a step from the cache is too old to reuse, and the words that say why it was reused.

Only a step that asked the outside world ages; any other is its inputs, and they are its key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from zonehost.builder.faults import SyntaxFault
from zonehost.domain.durations import parse_duration

if TYPE_CHECKING:
    from zonehost.builder.lines import Statement
    from zonehost.ports.build_cache import CachedStep

FRESH_ARGUMENT: Final = "ZONEHOST_FRESH"
_COMMENT: Final = re.compile(r"zonehost:\s*fresh\s*=\s*(\S+)")
_SECOND: Final = 10**9


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a cached step is reused, and the reason in words."""

    reuse: bool
    reason: str


def bound_of(statement: Statement, default: int | None) -> int | None:
    """How old, in nanoseconds, a step of this instruction may be: the comment above it, or the build's default.

    Raises:
        SyntaxFault: the comment names no duration.
    """
    for comment in reversed(statement.comments):
        if match := _COMMENT.search(comment):
            return read_bound(match[1])
    return default


def read_bound(text: str) -> int | None:
    """A bound as people write it: a duration (24h, 7d), or `forever`. Raises SyntaxFault."""
    if text == "forever":
        return None
    days = re.fullmatch(r"([0-9]+)d", text)
    found = int(days[1]) * 86400 * _SECOND if days else parse_duration(text)
    if found is None or found < 0:
        raise SyntaxFault(f"{text!r} is no duration: write 24h, 7d or forever")
    return found


def judge(step: CachedStep, now: int, bound: int | None) -> Verdict:
    """Whether a step found by its key may be reused."""
    age = f"made {age_of(now - step.made)} ago"
    if not step.outside:
        return Verdict(True, f"{age}; all that it reads is unchanged")
    asked = ", ".join(step.outside[:3]) + (", …" if len(step.outside) > 3 else "")
    if bound is None:
        return Verdict(True, f"{age}; it asked outside ({asked}), and no age is too old")
    limit = age_of(bound)
    if now - step.made > bound:
        return Verdict(False, f"{age}; it asked outside ({asked}), and may be {limit} old")
    return Verdict(True, f"{age}; it asked outside ({asked}), and may be {limit} old")


def age_of(nanoseconds: int) -> str:
    """A span of time in one unit: 42s, 7m, 3h, 12d."""
    seconds = max(nanoseconds, 0) // _SECOND
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size or (unit != "d" and seconds >= size):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
