"""One client at a zone's streams; see `ports.streams.Streams`."""

from __future__ import annotations

from zonehost.drivers.runtime.broadcast import Broadcast
from zonehost.drivers.runtime.input import Input
from zonehost.drivers.runtime.intake import Chunk


class Attachment:
    """Its output is a share in the zone's. Its input goes to the zone's pipe or terminal, or is thrown away."""

    def __init__(self, output: Broadcast, pipe: Input | None, *, typed: bool) -> None:
        """Raises: Conflict: the zone is not running."""
        self._output = output
        self._share = output.join()
        self._input = pipe
        self._typed = typed

    async def read(self) -> list[Chunk]:
        """As `Streams.read`."""
        return await self._share.read()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """As `Streams.write`."""
        if self._input is not None:
            await self._input.write(data)
        elif self._typed:
            await self._output.type(data)

    async def close_input(self) -> None:
        """As `Streams.close_input`. A terminal has no end of input but the character for it."""
        if self._input is not None:
            await self._input.client_ended()

    async def close(self) -> None:
        """As `Streams.close`."""
        self._typed = False
        self._output.leave(self._share)
