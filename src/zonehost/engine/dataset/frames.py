"""The stream of `zonehost send`, version 1: frames with checksums.

It begins with MAGIC, whose last byte is the version. A frame is its kind (one byte), the size of its body (4 bytes,
least significant first), the CRC-32 of kind and body (4 bytes) and the body. In this order: HEAD (JSON,
`domain.sending.Head`), then for each layer LAYER (its diff id) and DATA until END, then for each dataset DATASET (its
number in the head) and DATA until END, and DONE. Owns the frames; knows nothing of what is in them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from zonehost.errors import InvalidParameter

MAGIC: Final = b"zonehost-stream\x01"
_HEAD: Final = struct.Struct("<cII")
_LARGEST: Final = 16 << 20
DATA_SIZE: Final = 1 << 20


class Kind(Enum):
    """What a frame is."""

    HEAD = b"H"
    LAYER = b"L"
    DATASET = b"S"
    DATA = b"d"
    END = b"e"
    DONE = b"D"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that came whole."""

    kind: Kind
    body: bytes


def frame(kind: Kind, body: bytes = b"") -> bytes:
    """A frame in bytes."""
    return _HEAD.pack(kind.value, len(body), zlib.crc32(body, zlib.crc32(kind.value))) + body


async def data_frames(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """DATA frames of what comes, and the END."""
    async for chunk in chunks:
        for at in range(0, len(chunk), DATA_SIZE):
            yield frame(Kind.DATA, chunk[at : at + DATA_SIZE])
    yield frame(Kind.END)


class FrameReader:
    """Reads frames from bytes that come in pieces of any size."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._held = bytearray()

    async def begin(self) -> None:
        """Read the MAGIC. Raises InvalidParameter if this is no stream, or one of a newer version."""
        magic = await self._take(len(MAGIC))
        if magic[:-1] != MAGIC[:-1]:
            raise InvalidParameter("this is no stream of zonehost send")
        if magic != MAGIC:
            raise InvalidParameter(f"the stream is of version {magic[-1]}, and only version {MAGIC[-1]} is known here")

    async def next(self, *kinds: Kind) -> Frame:
        """The next frame, which must be of one of these kinds.

        Raises:
            InvalidParameter: it is of another kind, damaged, or not there: the stream was cut.
        """
        kind, size, checksum = _HEAD.unpack(await self._take(_HEAD.size))
        if size > _LARGEST:
            raise InvalidParameter("the stream is damaged: a frame is too large")
        body = await self._take(size)
        if zlib.crc32(body, zlib.crc32(kind)) != checksum:
            raise InvalidParameter("the stream is damaged: a checksum is wrong")
        if kind not in [known.value for known in kinds]:
            raise InvalidParameter(f"the stream is damaged: a frame {kind!r} is out of place")
        return Frame(Kind(kind), body)

    async def data(self) -> AsyncIterator[bytes]:
        """The bodies of DATA frames up to the END."""
        while (one := await self.next(Kind.DATA, Kind.END)).kind is Kind.DATA:
            yield one.body

    async def _take(self, size: int) -> bytes:
        while len(self._held) < size:
            try:
                self._held += await anext(self._chunks)
            except StopAsyncIteration:
                raise InvalidParameter("the stream was cut: it ends before its end") from None
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken
