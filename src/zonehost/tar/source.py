"""A stream of bytes, taken in order, in small exact pieces or large loose ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from zonehost.errors import InvalidParameter

_BEGINNING: Final = 512


class Source:
    """Chunks of bytes as one stream. `taken` counts what has been taken so far.

    Chunks are not empty, and nothing changes them later.
    """

    __slots__ = ("_before", "_chunk", "_chunks", "_next", "_position", "_size")

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._chunk = b""
        self._position = 0
        self._size = 0
        self._before = 0

    @property
    def taken(self) -> int:
        """Bytes taken so far."""
        return self._before + self._position

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes.

        Raises:
            InvalidParameter: the stream ends before.
        """
        end = self._position + size
        if end <= self._size:
            piece = self._chunk[self._position : end]
            self._position = end
            return piece
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Exactly `size` bytes in as few pieces as they came in; all of them are to be consumed.

        Raises:
            InvalidParameter: the stream ends before.
        """
        while size:
            if self._position == self._size and not self._advance():
                raise InvalidParameter("the archive is cut off")
            end = min(self._position + size, self._size)
            piece = memoryview(self._chunk)[self._position : end]
            self._position = end
            size -= len(piece)
            yield piece

    def rest(self) -> Iterator[memoryview]:
        """All that is left."""
        while self._position < self._size or self._advance():
            piece = memoryview(self._chunk)[self._position :]
            self._position = self._size
            yield piece

    def ended(self) -> bool:
        """Whether nothing is left."""
        return self._position == self._size and not self._advance()

    def peek(self, size: int = _BEGINNING) -> bytes:
        """What comes next, at most `size` bytes, fewer only if the stream ends before."""
        while self._size - self._position < size:
            left = self._chunk[self._position :]
            if not self._advance():
                break
            self._chunk = left + self._chunk
            self._size += len(left)
            self._before -= len(left)
        return self._chunk[self._position : self._position + size]

    def _advance(self) -> bool:
        """Go on to the next chunk, dropping what is left of this one."""
        chunk = next(self._chunks, b"")
        if not chunk:
            return False
        self._before += self._size
        self._chunk, self._size, self._position = chunk, len(chunk), 0
        return True
