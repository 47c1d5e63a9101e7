"""The members of a plain archive that comes bit by bit, without waiting in a thread for the bits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from zonehost.errors import InvalidParameter
from zonehost.tar import block
from zonehost.tar.entry import Entry
from zonehost.tar.reader import Bounds, Reader
from zonehost.tar.source import Source

_PAX: Final = b"x"
_BOUNDS: Final = Bounds()


async def members(archive: AsyncIterator[bytes]) -> AsyncIterator[tuple[Entry, AsyncIterator[bytes]]]:
    """The members, each with its content, which is to be taken before the next; archives as `tar.writer` makes them.

    Raises:
        InvalidParameter: the archive is cut off.
    """
    bits = _Bits(archive)
    while (header := await bits.take(block.SIZE)) != block.ZERO:
        while block.parse(header[-block.SIZE :]).kind == _PAX:
            size = block.parse(header[-block.SIZE :]).size
            header += await bits.take(size + block.padding(size) + block.SIZE)
        member = next(iter(Reader(Source([header]), _BOUNDS)))
        yield member, bits.pieces(member.size)
        await bits.take(block.padding(member.size))


class _Bits:
    def __init__(self, archive: AsyncIterator[bytes]) -> None:
        self._archive = archive
        self._waiting = bytearray()

    async def take(self, size: int) -> bytes:
        while len(self._waiting) < size:
            self._waiting += await self._more()
        taken = bytes(self._waiting[:size])
        del self._waiting[:size]
        return taken

    async def pieces(self, size: int) -> AsyncIterator[bytes]:
        while size:
            if not self._waiting:
                self._waiting += await self._more()
            piece = bytes(self._waiting[:size])
            del self._waiting[: len(piece)]
            size -= len(piece)
            yield piece

    async def _more(self) -> bytes:
        async for data in self._archive:
            return data
        raise InvalidParameter("the archive is cut off")
