"""How an archive is compressed, told by its first bytes, and undoing it in bounded pieces; and compressing one.

Magic numbers: RFC 1952 (gzip), RFC 8878 (zstd and its skippable frames), the xz file format, bzip2's `BZh`.
"""

from __future__ import annotations

import bz2
import lzma
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Final, Protocol, cast

import zstandard
from isal import igzip_lib, isal_zlib

from zonehost.errors import InvalidParameter
from zonehost.tar.source import Source

_PIECE: Final = 1 << 20
_GZIP_ERROR: Final = cast(type[Exception], igzip_lib.error)
_GZIP_LEVEL: Final = 2
_GZIP_WINDOW: Final = 31
"""zlib's window bits for a gzip stream."""
_AHEAD: Final = 4
_MAGIC_LENGTH: Final = 6
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_RUN: Final = 1
_BLOCKS: Final = 8
_HAS_CHECKSUM: Final = 4


class _Decompressor(Protocol):
    """What the standard library's decompressors and isal's have in common: one member of a stream at a time."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _gzip() -> _Decompressor:
    return cast(_Decompressor, igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP))


def _members(new: Callable[[], _Decompressor]) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    """Undo a format whose members may follow each other."""

    def undo(chunks: Iterator[bytes]) -> Iterator[bytes]:
        member = new()
        for chunk in chunks:
            data = chunk
            while data or not (member.needs_input or member.eof):
                if member.eof:
                    member = new()
                if piece := member.decompress(data, _PIECE):
                    yield piece
                data = member.unused_data if member.eof else b""
        if not member.eof:
            raise InvalidParameter("the archive is cut off: its compressed data has no end")

    return undo


def _zstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """A few blocks at a time, each of which unpacks to 128 KiB at most (RFC 8878, section 3.1.1)."""
    source = Source(chunks)
    while not source.ended():
        magic = source.take(4)
        if magic != _ZSTD and _is_skippable(magic):
            for _ in source.pieces(int.from_bytes(source.take(4), "little")):
                pass
            continue
        frame = zstandard.ZstdDecompressor().decompressobj()
        descriptor = source.take(1)
        single, dictionary = descriptor[0] >> 5 & 1, (0, 1, 2, 4)[descriptor[0] & 3]
        content_size = (single, 2, 4, 8)[descriptor[0] >> 6]
        parts = [magic, descriptor, source.take(1 - single + dictionary + content_size)]
        last = blocks = 0
        while not last:
            block = source.take(3)
            fields = int.from_bytes(block, "little")
            last, kind, size = fields & 1, fields >> 1 & 3, fields >> 3
            parts += (block, source.take(1 if kind == _RUN else size))
            blocks += 1
            if last or blocks == _BLOCKS:
                if piece := frame.decompress(b"".join(parts)):
                    yield piece
                parts.clear()
                blocks = 0
        if descriptor[0] & _HAS_CHECKSUM:
            frame.decompress(source.take(4))


def _is_skippable(magic: bytes) -> bool:
    return len(magic) >= 4 and magic[0] >> 4 == 5 and magic[1:4] == b"\x2a\x4d\x18"


_FORMATS: Final = {
    "gzip": (b"\x1f\x8b\x08", _members(_gzip)),
    "zstd": (_ZSTD, _zstd),
    "bzip2": (b"BZh", _members(lambda: bz2.BZ2Decompressor())),
    "xz": (b"\xfd7zXZ\0", _members(lambda: lzma.LZMADecompressor())),
}


def detect(beginning: bytes) -> str | None:
    """gzip, zstd, bzip2, xz, or None for anything else; six bytes are enough."""
    for name, (magic, _) in _FORMATS.items():
        if beginning.startswith(magic):
            return name
    return "zstd" if _is_skippable(beginning) else None


def gzipped(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """The chunks in gzip; its header holds no time, so that the same chunks give the same bytes."""
    compressor = isal_zlib.compressobj(level=_GZIP_LEVEL, wbits=_GZIP_WINDOW)
    for chunk in chunks:
        if piece := compressor.compress(chunk):
            yield piece
    yield compressor.flush()


def plain(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, decompressed in a thread of its own if they are compressed.

    Raises:
        InvalidParameter: the compressed data is damaged or cut off.
    """
    stream = iter(chunks)
    beginning = b""
    for chunk in stream:
        beginning += chunk
        if len(beginning) >= _MAGIC_LENGTH:
            break
    whole = chain((beginning,), stream) if beginning else stream
    name = detect(beginning)
    return whole if name is None else _ahead(_checked(name, whole))


def _checked(name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from _FORMATS[name][1](chunks)
    except (_GZIP_ERROR, zstandard.ZstdError, lzma.LZMAError, OSError, EOFError) as error:
        raise InvalidParameter(f"the archive's {name} data is damaged: {error}") from error


def _ahead(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same chunks, made a few ahead by another thread."""
    pool = ThreadPoolExecutor(1)
    try:
        pending = deque(pool.submit(_batch, chunks) for _ in range(_AHEAD))
        while batch := pending.popleft().result():
            pending.append(pool.submit(_batch, chunks))
            yield from batch
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _batch(chunks: Iterator[bytes]) -> list[bytes]:
    """Enough chunks to be worth a change of threads; none at the end."""
    batch = []
    size = 0
    for chunk in chunks:
        batch.append(chunk)
        size += len(chunk)
        if size >= _PIECE:
            break
    return batch
