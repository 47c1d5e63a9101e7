"""What an archive had besides the content of files, so that it can be made again to the byte.

A zstd stream of records: the bytes up to a file's content, the file's path in the tree, and which parts of the file
follow. The last records have bytes only.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple, cast

import zstandard

from zonehost.tar import compression
from zonehost.tar.entry import Extents
from zonehost.tar.source import Source

_HEAD: Final = struct.Struct("<IHI")
_EXTENT: Final = struct.Struct("<QQ")
_ENOUGH: Final = 1 << 20


class Record(NamedTuple):
    """Bytes of the archive, and then the extents of a file; the path is empty if no content follows."""

    raw: bytes
    path: bytes
    extents: Extents


class Writer:
    """Writes records to a new file."""

    def __init__(self, path: str) -> None:
        self.contents = 0
        """How many contents the archive has had so far."""
        self._file = cast(BinaryIO, zstandard.open(path, "wb"))
        self._raw: list[bytes] = []
        self._size = 0

    def note(self, raw: bytes) -> None:
        """Take in bytes that are no content."""
        self._raw.append(raw)
        self._size += len(raw)
        if self._size >= _ENOUGH:
            self._flush(b"", ())

    def content(self, path: bytes, extents: Extents) -> None:
        """Say that the content of a file stands here."""
        self.contents += 1
        self._flush(path, extents)

    def close(self) -> None:
        """Write what is left, and close the file. Idempotent."""
        if self._raw:
            self._flush(b"", ())
        self._file.close()

    def _flush(self, path: bytes, extents: Extents) -> None:
        parts = [_HEAD.pack(self._size, len(path), len(extents)), *self._raw, path]
        parts += [_EXTENT.pack(*extent) for extent in extents]
        self._file.write(b"".join(parts))
        self._raw.clear()
        self._size = 0


def read(chunks: Iterator[bytes]) -> Iterator[Record]:
    """The records of a skeleton.

    Raises:
        InvalidParameter: it is damaged.
    """
    source = Source(compression.plain(chunks))
    while not source.ended():
        raw_length, path_length, count = _HEAD.unpack(source.take(_HEAD.size))
        raw, path = source.take(raw_length), source.take(path_length)
        yield Record(raw, path, tuple(_EXTENT.iter_unpack(source.take(count * _EXTENT.size))))
