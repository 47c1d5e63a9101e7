"""Clients on the streams of a container: joined before its birth or while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from zonehost.domain.container import Container
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.engine.telling import tell_container
from zonehost.ports.logs import LogLine
from zonehost.ports.streams import Stream, Streams

_END_SECONDS: Final = 2.0
"""How long the end of a zone may come after that of its output, before a client need not wait for it."""


class Attachment:
    """One client's view: the streams that it asked for, and what was logged before if it wanted that."""

    def __init__(
        self,
        host: Host,
        zone: Zone,
        *,
        wanted: frozenset[Stream],
        past: AsyncIterator[list[LogLine]] | None,
        live: bool,
    ) -> None:
        self.tty = zone.record.config.tty
        self._host = host
        self._zone = zone
        self._wanted = wanted
        self._past = past
        self._live = live
        self._let_go = False
        self._streams: asyncio.Future[Streams | None] = asyncio.get_running_loop().create_future()

    @property
    def container(self) -> Container:
        """The container as it is now."""
        return self._zone.record

    def connect(self, streams: Streams) -> None:
        """The zone has these streams now."""
        self._zone.waiting.discard(self)
        if not self._streams.done():
            self._streams.set_result(streams)

    def give_up(self) -> None:
        """There will be no streams."""
        self._zone.waiting.discard(self)
        if not self._streams.done():
            self._streams.set_result(None)

    async def read(self) -> list[tuple[Stream, bytes]]:
        """The next chunks of the streams that were asked for; an empty list when there will be no more."""
        if self._past is not None:
            async for lines in self._past:
                wanted = [(line.stream, line.data) for line in lines if line.stream in self._wanted]
                if wanted:
                    return wanted
            self._past = None
        streams = await asyncio.shield(self._streams) if self._live else None
        if streams is None:
            return []
        while chunks := await streams.read():
            wanted = [chunk for chunk in chunks if chunk[0] in self._wanted]
            if wanted:
                return wanted
        await self._noted()
        return []

    async def _noted(self) -> None:
        """Let the record say that the zone ended before the client reads the end of its output.

        Else a client that then asks finds it running, and its networks in use.
        """
        if self._zone.record.state.running and not self._let_go:
            await asyncio.wait([self._zone.exits.next()], timeout=_END_SECONDS)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Give input to the container; what it does not take is lost."""
        streams = await self._input()
        if streams is not None:
            await streams.write(data)

    async def close_input(self) -> None:
        """The client has no more input: a container that wants it only once reads end of file.

        Of any other container, Docker ends the client's output with its input.
        """
        streams = await self._input()
        if streams is None:
            return
        if self._zone.record.config.stdin_once and not self.tty:
            await streams.close_input()
        else:
            self._let_go = True
            await streams.close()

    def detach(self) -> None:
        """The client left by its detach keys."""
        tell_container(self._host, self._zone.record, "detach")

    async def close(self) -> None:
        """Let go. Idempotent."""
        self.give_up()
        streams = self._streams.result()
        if streams is not None:
            await streams.close()

    async def _input(self) -> Streams | None:
        if Stream.STDIN not in self._wanted or not self._zone.record.config.open_stdin:
            return None
        return await asyncio.shield(self._streams)


async def connect_waiting(host: Host, zone: Zone) -> None:
    """Join the clients that came before the birth, each with a view of its own."""
    for attachment in tuple(zone.waiting):
        attachment.connect(await host.runtime.attach(zone.id))


def give_up_waiting(zone: Zone) -> None:
    """Tell those who wait for a birth that it will not come."""
    for attachment in tuple(zone.waiting):
        attachment.give_up()
