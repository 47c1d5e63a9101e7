"""`docker search`."""

from __future__ import annotations

from typing import Final

from zonehost.domain.filters import Filters
from zonehost.domain.reference import DEFAULT_DOMAIN
from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter
from zonehost.ports.registry import Login, SearchResult

_MOST: Final = 100


async def search(
    host: Host, term: str, *, limit: int, filters: Filters, login: Login | None
) -> tuple[SearchResult, ...]:
    """Repositories that match. A term whose first part is a host asks that registry; any other, the Hub.

    Raises:
        InvalidParameter: the limit or a filter cannot be. Unsupported: the registry has no search.
    """
    if not 1 <= limit <= _MOST:
        raise InvalidParameter(f"limit {limit} is outside the range of [1, {_MOST}]")
    filters.accept({"is-official", "is-automated", "stars"})
    official, automated = filters.flag("is-official"), filters.flag("is-automated")
    stars = [int(text) if text.isdecimal() else -1 for text in filters.get("stars")]
    if -1 in stars:
        raise InvalidParameter("invalid filter 'stars'")
    first, slash, rest = term.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    domain, words = (first, rest) if named else (DEFAULT_DOMAIN, term)
    found = await host.registries.search(domain, words, limit, login)
    return tuple(
        one
        for one in found
        if official in (None, one.official)
        and automated in (None, one.automated)
        and all(one.stars >= least for least in stars)
    )
