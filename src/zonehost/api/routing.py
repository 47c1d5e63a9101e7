"""Routes: which handler serves which method and path. Knows nothing of versions, nor of what handlers do."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from zonehost.api.call import Call

Handler = Callable[[Call], Coroutine[Any, Any, web.StreamResponse]]

_VARIABLE: Final = re.compile(r"\\{(\w+)\\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path, whose variable parts are in braces and may hold slashes.

    A `verb` changes something: once begun it is brought to its end, even if the client goes away. Every other call ends
    with its client.
    """

    method: str
    path: str
    handler: Handler
    verb: bool = False


class Table:
    """All routes. A path without variables is found first; then the order of the routes decides."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._plain: dict[tuple[str, str], Route] = {}
        self._variable: dict[tuple[str, str], list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            if "{" in route.path:
                pattern = re.compile(_VARIABLE.sub(r"(?P<\1>.+)", re.escape(route.path)))
                self._variable.setdefault((route.method, _area(route.path)), []).append((pattern, route))
            else:
                self._plain[route.method, route.path] = route

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route, and the variable parts of the path."""
        plain = self._plain.get((method, path))
        if plain is not None:
            return plain, {}
        for pattern, route in self._variable.get((method, _area(path)), ()):
            match = pattern.fullmatch(path)
            if match is not None:
                return route, match.groupdict()
        return None


def _area(path: str) -> str:
    return path.split("/", 2)[1]
