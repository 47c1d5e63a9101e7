"""The `until` filter of prune: a time, a Unix time, or a duration back from now."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Final

from zonehost.domain.durations import parse_duration
from zonehost.domain.filters import Filters
from zonehost.domain.image_config import parse_rfc3339
from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter

_SECOND: Final = 1_000_000_000


def created_before(host: Host, filters: Filters) -> Callable[[int], bool]:
    """Whether a time of creation (nanoseconds) is before the filter's; always, if there is no filter.

    Raises:
        InvalidParameter: the filter has several values, or one that is no time.
    """
    values = filters.get("until")
    if not values:
        return lambda created: True
    if len(values) > 1:
        raise InvalidParameter("more than one until filter specified")
    bound = parse_moment(values[0], host.clock.now())
    return lambda created: created < bound


def parse_moment(text: str, now: int) -> int:
    """Nanoseconds since the epoch of a duration back from now (`24h`), a Unix time or an RFC 3339 time.

    Raises:
        InvalidParameter: it is none of these.
    """
    duration = parse_duration(text)
    if duration is not None and not text.lstrip("-").isdecimal():
        return now - duration
    try:
        return int(Decimal(text) * _SECOND)
    except InvalidOperation:
        moment = parse_rfc3339(text)
    if not moment:
        raise InvalidParameter(f'invalid value for "until": {text}')
    return moment
