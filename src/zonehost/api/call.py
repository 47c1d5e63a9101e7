"""One request, as handlers see it: who is asked, in which version, with which names and parameters."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec
from aiohttp import web

from zonehost.api import body, query
from zonehost.api.upload import Upload
from zonehost.api.version import Version
from zonehost.domain.filters import Filters
from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


class Finish(Protocol):
    """Awaits some work; if the awaiting is given up, the work is not."""

    async def __call__(self, work: Coroutine[Any, Any, T]) -> T: ...


@dataclass(frozen=True, slots=True)
class Call:
    """A request on its way through its handler."""

    host: Host
    request: web.BaseRequest
    version: Version
    names: dict[str, str]
    """The variable parts of the path."""
    finish: Finish
    """Brings work to its end even if the client goes away meanwhile; routes that are verbs have it around them."""

    @property
    def name(self) -> str:
        """The thing that the path names."""
        return self.names["name"]

    def text(self, parameter: str, default: str = "") -> str:
        """A parameter, as it is written."""
        return self.request.query.get(parameter, default)

    def texts(self, parameter: str) -> tuple[str, ...]:
        """A parameter that may be given several times."""
        return tuple(self.request.query.getall(parameter, ()))

    def flag(self, parameter: str, *, default: bool = False) -> bool:
        """A boolean parameter."""
        text = self.request.query.get(parameter)
        return default if text is None else query.flag(text)

    def number(self, parameter: str, default: int = 0) -> int:
        """A whole number; InvalidParameter names the parameter."""
        text = self.request.query.get(parameter, "")
        return query.number(parameter, text) if text else default

    def timestamp(self, parameter: str) -> int:
        """A moment in nanoseconds since the epoch, 0 if there is none; InvalidParameter names the parameter."""
        return query.timestamp(parameter, self.request.query.get(parameter, ""))

    def filters(self) -> Filters:
        """The parameter `filters`, in either of Docker's forms."""
        return Filters.parse(self.request.query.get("filters"))

    async def body(self, kind: type[S], prepare: Callable[[dict[str, Any]], None] | None = None) -> S:
        """The JSON body. Raises InvalidParameter if there is none, and as `body.read_json`."""
        value = await body.read_json(self.request, kind, prepare)
        if value is None:
            raise InvalidParameter("invalid JSON: got EOF while reading request body")
        return value

    async def optional_body(self, kind: type[S], prepare: Callable[[dict[str, Any]], None] | None = None) -> S | None:
        """The JSON body, or None. Raises as `body.read_json`."""
        return await body.read_json(self.request, kind, prepare)

    def upload(self) -> Upload:
        """The body as a stream of bytes."""
        return Upload(self.request)
