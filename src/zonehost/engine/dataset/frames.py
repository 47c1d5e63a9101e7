"""The frames of a stream as the daemon itself reads and writes them: head and layers. The data of datasets are read and
written by the pool's own jobs, past the daemon.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from dataclasses import dataclass

from zonehost.domain.frames import (
    CUT,
    DATA_SIZE,
    HEADING_SIZE,
    MAGIC,
    Damaged,
    Kind,
    check_magic,
    frame,
    parse_heading,
)
from zonehost.ports.streams import ByteStream


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that came whole."""

    kind: Kind
    body: bytes


async def write_data(stream: ByteStream, chunks: AsyncIterable[bytes]) -> None:
    """Write what comes as DATA frames, and the END. What comes is closed, whatever the end is."""
    try:
        async for chunk in chunks:
            for at in range(0, len(chunk), DATA_SIZE):
                await stream.write(frame(Kind.DATA, chunk[at : at + DATA_SIZE]))
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    await stream.write(frame(Kind.END))


class FrameReader:
    """Reads frames, and not a byte more."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    async def begin(self) -> None:
        """Read the MAGIC. Raises InvalidParameter if this is no stream, or one of a newer version."""
        check_magic(await self._take(len(MAGIC)))

    async def next(self, *kinds: Kind) -> Frame:
        """The next frame, which must be of one of these kinds.

        Raises:
            Damaged: it is of another kind, damaged, or not there: the stream was cut.
        """
        heading = parse_heading(await self._take(HEADING_SIZE), *kinds)
        body = await self._take(heading.size)
        heading.check(body)
        return Frame(heading.kind, body)

    async def data(self) -> AsyncIterator[bytes]:
        """The bodies of DATA frames up to the END."""
        while (one := await self.next(Kind.DATA, Kind.END)).kind is Kind.DATA:
            yield one.body

    async def _take(self, size: int) -> bytes:
        taken = await self._stream.take(size)
        if len(taken) < size:
            raise Damaged(CUT)
        return taken
