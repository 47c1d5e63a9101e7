"""The 512-byte header block: its fields and their numbers, without regard to what they mean together."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import Final, NamedTuple

from zonehost.errors import InvalidParameter

SIZE: Final = 512
ZERO: Final = bytes(SIZE)

_READ: Final = struct.Struct("100s8s8s8s12s12s8sc100s6s66x8s8s155s12x")
_WRITE: Final = struct.Struct("100s8s8s8s12s12s8sc100s8s64x8s8s167x")
_CHECKSUM: Final = slice(148, 156)
_ADLER: Final = 65521
OCTAL_7: Final = 0o7777777
OCTAL_11: Final = 0o77777777777


class Header(NamedTuple):
    """The fields of a block. `prefix` is empty in GNU's format, which has other things in its place."""

    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    kind: bytes
    link: bytes
    device: tuple[int, int]
    prefix: bytes


def padding(size: int) -> int:
    """Bytes between content of this size and the next block."""
    return -size % SIZE


def parse(block: bytes) -> Header:
    """The fields of a header block.

    Raises:
        InvalidParameter: it is none.
    """
    name, mode, uid, gid, size, mtime, checksum, kind, link, magic, major, minor, prefix = _READ.unpack(block)
    # Adler-32's lower half is one more than the sum of the bytes, modulo 65521, and is far quicker than sum().
    total = (zlib.adler32(block) & 0xFFFF) - 1 - sum(checksum) + 8 * 0x20
    stated = small_number(checksum)
    if (total - stated) % _ADLER and stated != _signed_sum(block):
        raise InvalidParameter("not a tar archive, or a damaged one: the checksum of a header is wrong")
    return Header(
        text(name),
        small_number(mode),
        small_number(uid),
        small_number(gid),
        number(size),
        number(mtime),
        kind,
        text(link),
        (small_number(major), small_number(minor)),
        text(prefix) if magic == b"ustar\0" else b"",
    )


def render(header: Header) -> bytes:
    """A ustar block of these fields, each of which fits: see `OCTAL_7`, `OCTAL_11` and 100 bytes for names."""
    name, mode, uid, gid, size, mtime, kind, link, (major, minor), _ = header
    numbers = (b"%07o\0" % mode, b"%07o\0" % uid, b"%07o\0" % gid, b"%011o\0" % size, b"%011o\0" % mtime)
    devices = (b"%07o\0" % major, b"%07o\0" % minor)
    block = bytearray(_WRITE.pack(name, *numbers, b" " * 8, kind, link, b"ustar\00000", *devices))
    block[_CHECKSUM] = b"%06o\0 " % sum(block)
    return bytes(block)


def text(field: bytes) -> bytes:
    """A field up to its first NUL."""
    return field.partition(b"\0")[0]


def number(field: bytes) -> int:
    """A number in octal digits, or in GNU's base 256, which has the first bit set and is signed.

    Raises:
        InvalidParameter: it is neither.
    """
    if field[0] & 0x80:
        bits = 8 * len(field) - 1
        value = int.from_bytes(field, "big") & ((1 << bits) - 1)
        return value - (1 << bits) if value >> (bits - 1) else value
    digits = text(field.lstrip(b" \0")).strip(b" ")
    if not digits:
        return 0
    try:
        return int(digits, 8)
    except ValueError:
        raise InvalidParameter("not a tar archive, or a damaged one: a header has a field that is no number") from None


small_number = lru_cache(maxsize=512)(number)
"""`number` for fields that hold few different values."""


def _signed_sum(block: bytes) -> int:
    """The checksum as some old archivers made it, from signed bytes."""
    counted = block[: _CHECKSUM.start] + b" " * 8 + block[_CHECKSUM.stop :]
    return sum(byte - 256 if byte > 127 else byte for byte in counted)
