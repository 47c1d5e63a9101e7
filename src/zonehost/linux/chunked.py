"""A chunked body of HTTP (RFC 9112, section 7.1), read off its connection by a job.

Knows nothing of heads and answers: those stay with the daemon.
"""

from __future__ import annotations

import os
import re
import select
from collections.abc import Callable, Iterator
from typing import Final

from zonehost.errors import InvalidParameter

_READ: Final = 1 << 20
"""Bytes that one read takes at the most, and about as many as are passed on at once."""
_LINE: Final = 4096
"""The longest line: the size of a chunk with its extensions, or a trailer."""
_TRAILERS: Final = 64
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_END: Final = b"\r\n"


class ChunkedBody:
    """The body whose first bytes are `beginning`, and the others what `read` gives, b"" at the connection's end."""

    def __init__(self, beginning: bytes, read: Callable[[], bytes]) -> None:
        self._data = beginning
        self._position = 0
        self._read = read

    def __iter__(self) -> Iterator[bytes]:
        """The content, in pieces of a megabyte where there is so much; ends with the body.

        Raises:
            InvalidParameter: it is not coded so, or the connection ends before.
        """
        pieces: list[memoryview] = []
        size = 0
        while length := self._size():
            while length:
                piece = self._piece(length)
                pieces.append(piece)
                size += len(piece)
                length -= len(piece)
                if size >= _READ:
                    yield b"".join(pieces)
                    pieces, size = [], 0
            if self._line() != b"":
                raise InvalidParameter("the body of the request is damaged: a chunk is longer than it says")
        if size:
            yield b"".join(pieces)
        for _ in range(_TRAILERS):
            if self._line() == b"":
                return
        raise InvalidParameter("the body of the request is damaged: it has too many trailers")

    def _size(self) -> int:
        found = _SIZE.fullmatch(self._line())
        if found is None:
            raise InvalidParameter("the body of the request is damaged: a chunk has no size")
        return int(found[1], 16)

    def _piece(self, most: int) -> memoryview:
        """What is there of the next bytes."""
        if self._position == len(self._data):
            self._data, self._position = self._more(), 0
        end = min(self._position + most, len(self._data))
        piece = memoryview(self._data)[self._position : end]
        self._position = end
        return piece

    def _line(self) -> bytes:
        """The next line, without its end."""
        while (end := self._data.find(_END, self._position, self._position + _LINE)) < 0:
            left = self._data[self._position :]
            if len(left) >= _LINE:
                raise InvalidParameter("the body of the request is damaged: a line is too long")
            self._data, self._position = left + self._more(), 0
        line = self._data[self._position : end]
        self._position = end + len(_END)
        return line

    def _more(self) -> bytes:
        data = self._read()
        if not data:
            raise InvalidParameter("the request ended before its body did")
        return data


def reading(connection: int) -> Callable[[], bytes]:
    """Reads what there is, waiting for it: the other owners of the descriptor want it not to block."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)

    def read() -> bytes:
        while True:
            try:
                return os.read(connection, _READ)
            except BlockingIOError:
                poll.poll()
            except ConnectionError:
                return b""

    return read
