"""Connections of BuildKit's clients: `POST /session` and `POST /grpc`, upgraded to HTTP/2 without TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from zonehost.api.call import Call
from zonehost.api.hijack import Done, Hijacked
from zonehost.api.routing import Route
from zonehost.errors import InvalidParameter

if TYPE_CHECKING:
    from zonehost.api.buildkit.connections import BuildKit

_PROTOCOL = "h2c"
_SESSION = "X-Docker-Expose-Session-Uuid"


class BuildKitRoutes:
    """The two routes of one API, and what stands behind them once a client has asked for it."""

    def __init__(self) -> None:
        self._kit: BuildKit | None = None

    def routes(self) -> tuple[Route, ...]:
        """Routes."""
        return (Route("POST", "/session", self.open_session), Route("POST", "/grpc", self.open_control))

    async def open_session(self, call: Call) -> web.StreamResponse:
        """The client will be asked."""
        _check_protocol(call)
        name = call.request.headers.get(_SESSION, "")
        if not name:
            raise InvalidParameter(f"the header {_SESSION} is missing")
        kit = self._found(call)
        kit.check_session(name)
        async with Hijacked.take(call.request, protocol=_PROTOCOL) as client:
            await kit.hold_session(name, client)
        return Done()

    async def open_control(self, call: Call) -> web.StreamResponse:
        """The client will ask."""
        _check_protocol(call)
        kit = self._found(call)
        async with Hijacked.take(call.request, protocol=_PROTOCOL) as client:
            await kit.serve(client)
        return Done()

    def _found(self, call: Call) -> BuildKit:
        if self._kit is None:
            # Rare and large: most daemons never see such a client.
            from zonehost.api.buildkit.connections import BuildKit

            self._kit = BuildKit(call.host)
        return self._kit


def _check_protocol(call: Call) -> None:
    protocol = call.request.headers.get("Upgrade", "")
    if protocol != _PROTOCOL:
        raise InvalidParameter(f"protocol {protocol} not supported" if protocol else "no upgrade proto in request")
