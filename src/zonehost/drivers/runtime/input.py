"""A zone's standard input without a terminal: a pipe of which the daemon has the writing end.

conmon could hold it, but would spin without end on a zone that closes its input before all is written, could end it
only by the end of any client, and would copy every byte once more.
"""

from __future__ import annotations

import asyncio
import os

from zonehost.drivers.runtime.intake import writable


class Input:
    """The writing end. It ends with its first client's input if it is `once` (Docker's StdinOnce)."""

    def __init__(self, writer: int, *, once: bool) -> None:
        os.set_blocking(writer, False)
        self._writer: int | None = writer
        self._once = once
        self._writing = asyncio.Lock()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of it; what is left is lost when the zone has closed its input."""
        async with self._writing:
            rest = memoryview(data).cast("B")
            while rest and self._writer is not None:
                try:
                    rest = rest[os.write(self._writer, rest) :]
                except BlockingIOError:
                    await writable(self._writer)
                except BrokenPipeError:
                    self.close()

    async def client_ended(self) -> None:
        """A client has no more to write."""
        if self._once:
            async with self._writing:
                self.close()

    def close(self) -> None:
        """Let go of it. Idempotent."""
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None
