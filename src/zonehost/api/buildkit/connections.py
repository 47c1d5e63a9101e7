"""Connections that clients turn into HTTP/2: one kind to ask us, one to be asked by us."""

from __future__ import annotations

from collections.abc import AsyncIterator

from zonehost.api.buildkit.control import Control
from zonehost.api.buildkit.http2 import Connection, Wire
from zonehost.api.buildkit.posted import Posted, Tell, Uploads, carry_out
from zonehost.api.buildkit.session import Sessions
from zonehost.engine.host import Host


class BuildKit:
    """BuildKit's protocol over one host."""

    def __init__(self, host: Host) -> None:
        self._sessions = Sessions()
        self._uploads = Uploads()
        self._control = Control(host, self._sessions)

    async def build(self, posted: Posted, tell: Tell) -> None:
        """Build what a request asks for. Raises InvalidParameter in the words of what went wrong."""
        with self._control.solving(posted.ref) as solve:
            await carry_out(solve, posted, self._uploads, tell)

    def cancel(self, ref: str) -> None:
        """End a build, if it goes on."""
        self._control.cancel(ref)

    async def upload(self, name: str, archive: AsyncIterator[bytes]) -> None:
        """Take a context for a build that asks for it, until the build has it. Raises NotFound if none does."""
        await self._uploads.give(name, archive)

    def check_session(self, name: str) -> None:
        """Raises Conflict if a session of this id is here."""
        self._sessions.check(name)

    async def serve(self, wire: Wire) -> None:
        """Answer a client's calls until it goes."""
        await Connection(wire, self._control.serve).run()

    async def hold_session(self, name: str, wire: Wire) -> None:
        """Let builds ask a client, until it goes."""
        await self._sessions.hold(name, wire)
