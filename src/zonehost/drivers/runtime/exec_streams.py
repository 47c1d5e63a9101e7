"""The streams of a further process: three pipes, or the master side of a terminal; see `ports.streams.Streams`."""

from __future__ import annotations

import asyncio
import os

from zonehost.drivers.runtime.intake import Chunk, Intake, Pipe, writable
from zonehost.errors import Conflict
from zonehost.linux import terminal
from zonehost.ports.streams import Stream


class PipeStreams:
    """Pipes; `stdin` is -1 if the process has no input. Owns the descriptors."""

    def __init__(self, stdin: int, *outputs: Pipe) -> None:
        self._stdin = stdin
        if stdin >= 0:
            os.set_blocking(stdin, False)
        self._intake = Intake(*outputs)
        self._writing = asyncio.Lock()

    async def read(self) -> list[Chunk]:
        """As `Streams.read`."""
        return await self._intake.read()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """As `Streams.write`."""
        async with self._writing:
            rest = memoryview(data).cast("B")
            while rest and self._stdin >= 0:
                try:
                    rest = rest[os.write(self._stdin, rest) :]
                except BlockingIOError:
                    await writable(self._stdin)
                except OSError:  # EPIPE, or EIO of a terminal: nobody reads any more
                    return

    async def close_input(self) -> None:
        """As `Streams.close_input`."""
        async with self._writing:
            self._end_input()

    async def close(self) -> None:
        """As `Streams.close`. What the process still writes is thrown away."""
        self._end_input()
        self._intake.drop()

    def _end_input(self) -> None:
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1


class TerminalStreams(PipeStreams):
    """A terminal; its input has no end but the character for it."""

    def __init__(self, master: int) -> None:
        super().__init__(master, Pipe(os.dup(master), Stream.STDOUT))

    async def close_input(self) -> None:
        """Nothing: as `Streams.close_input` for a terminal in Docker."""

    def resize(self, rows: int, columns: int) -> None:
        """Set the size of the terminal.

        Raises:
            Conflict: nobody holds it any more.
        """
        if self._stdin < 0:
            raise Conflict("the exec process has no terminal any more")
        terminal.set_size(self._stdin, rows, columns)
