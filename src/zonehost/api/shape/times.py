"""Moments as Go prints them."""

from __future__ import annotations

import time
from typing import Final

ZERO: Final = "0001-01-01T00:00:00Z"
"""Go's zero time: never."""

_SECOND: Final = 1_000_000_000


def rfc3339(moment: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 in UTC, with no trailing zeros (Go's RFC3339Nano); 0 is never."""
    if moment == 0:
        return ZERO
    fraction = f"{moment % _SECOND:09d}".rstrip("0")
    return f"{_whole(moment)}.{fraction}Z" if fraction else f"{_whole(moment)}Z"


def rfc3339_fixed(moment: int) -> str:
    """The same with all nine digits, as log lines have it."""
    return f"{_whole(moment)}.{moment % _SECOND:09d}Z"


def rfc3339_seconds(moment: int) -> str:
    """The same without a fraction."""
    return f"{_whole(moment)}Z"


def _whole(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment // _SECOND))
