"""The client of an exec, on its streams."""

from __future__ import annotations

import asyncio
from typing import Final

from zonehost.engine.host import Host
from zonehost.engine.state.execs import ExecRequest
from zonehost.ports.runtime import RunningExec
from zonehost.ports.streams import Stream

LINGER: Final = 2.0
"""Seconds that output is still read after the end of the process, where a child of it holds the streams open."""


class ExecSession:
    """The streams that were asked for. They end when the process has ended and its exit code is noted."""

    def __init__(self, host: Host, process: RunningExec, request: ExecRequest, ended: asyncio.Task[None]) -> None:
        self.tty = request.tty
        self._clock = host.clock
        self._streams = process.streams
        self._ended = ended
        self._reading: asyncio.Future[list[tuple[Stream, bytes]]] | None = None
        asked = {
            Stream.STDIN: request.attach_stdin,
            Stream.STDOUT: request.attach_stdout,
            Stream.STDERR: request.attach_stderr,
        }
        self._wanted = {stream for stream, wanted in asked.items() if wanted}

    async def read(self) -> list[tuple[Stream, bytes]]:
        """The next chunks of the streams that were asked for; an empty list when there will be no more."""
        while chunks := await self._next():
            wanted = [chunk for chunk in chunks if chunk[0] in self._wanted]
            if wanted:
                return wanted
        await asyncio.shield(self._ended)
        return []

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Give input to the process."""
        if Stream.STDIN in self._wanted:
            await self._streams.write(data)

    async def close_input(self) -> None:
        """The client has no more input."""
        if Stream.STDIN in self._wanted and not self.tty:
            await self._streams.close_input()

    async def close(self) -> None:
        """Let go; the process goes on. Idempotent."""
        if self._reading is not None:
            self._reading.cancel()
        await self._streams.close()

    async def _next(self) -> list[tuple[Stream, bytes]]:
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._streams.read())
        reading = self._reading
        await asyncio.wait((reading, self._ended), return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            late = asyncio.ensure_future(self._clock.sleep(LINGER))
            await asyncio.wait((reading, late), return_when=asyncio.FIRST_COMPLETED)
            late.cancel()
        if not reading.done():
            return []
        self._reading = None
        return reading.result()
