"""Values of a query string, as Docker reads them. Owns spelling only: what a value means is the handler's."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from zonehost.errors import InvalidParameter

_NO: Final = frozenset({"", "0", "no", "false", "none"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_UNIX: Final = re.compile(r"(-?[0-9]+)(?:\.([0-9]*))?")
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9})\d*)?)?([Zz]|[+-]\d\d:\d\d)?",
)
_SECOND: Final = 1_000_000_000


def flag(text: str) -> bool:
    """Docker's booleans: no are the empty word, 0, no, false and none; all else is yes."""
    return text.strip().lower() not in _NO


def number(name: str, text: str) -> int:
    """A whole number.

    Raises:
        InvalidParameter: it is not one, or has more than 64 bits; names the parameter.
    """
    if _INTEGER.fullmatch(text) is None:
        raise InvalidParameter(f'invalid value for "{name}": strconv.ParseInt: parsing "{text}": invalid syntax')
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise InvalidParameter(f'invalid value for "{name}": strconv.ParseInt: parsing "{text}": value out of range')
    return value


def timestamp(name: str, text: str) -> int:
    """A moment, in nanoseconds since the epoch: `seconds[.fraction]` since the epoch, or RFC 3339, whole or in part.

    Where no zone is given, it is UTC. The empty text is 0.

    Raises:
        InvalidParameter: it is neither; names the parameter.
    """
    if not text:
        return 0
    unix = _UNIX.fullmatch(text)
    if unix is not None:
        return int(unix[1]) * _SECOND + _fraction(unix[2])
    written = _RFC3339.fullmatch(text)
    if written is None:
        raise InvalidParameter(f'invalid value for "{name}": failed to parse value as time or duration: "{text}"')
    day, clock, fraction, zone = written.groups()
    offset = "+00:00" if zone in (None, "Z", "z") else zone
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}{offset}")
    except ValueError as error:
        raise InvalidParameter(f'invalid value for "{name}": {error}: "{text}"') from None
    return int((moment - datetime.fromtimestamp(0, UTC)).total_seconds()) * _SECOND + _fraction(fraction)


def _fraction(digits: str | None) -> int:
    return int((digits or "").ljust(9, "0")[:9])
