"""The body of a request as an archive that whoever works on it iterates over, or takes with its connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

from aiohttp import web

from zonehost.api import body
from zonehost.api.connection import Connection
from zonehost.linux.arriving import Arriving, Taken


class Upload(Arriving):
    """The body of one request."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request

    def __aiter__(self) -> AsyncIterator[bytes]:
        return body.chunks(self._request)

    def take(self) -> Taken | None:
        """See `Arriving.take`."""
        held = cast(Connection, self._request.protocol).held
        return None if held is None else held.take()

    def finish(self) -> None:
        """See `Arriving.finish`."""
        held = cast(Connection, self._request.protocol).held
        if held is not None:
            held.finish()
