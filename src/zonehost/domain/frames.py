"""The stream of `zonehost send`, version 1: frames with checksums.

It begins with MAGIC, whose last byte is the version. A frame is its kind (one byte), the size of its body (4 bytes,
least significant first), the CRC-32 of kind and body (4 bytes) and the body. In this order: HEAD (JSON,
`domain.sending.Head`), then for each layer LAYER (its diff id) and DATA until END, then for each dataset DATASET (its
number in the head) and DATA until END, and DONE. Owns the frames; knows nothing of what is in them and how they travel.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from typing import Final

from zonehost.errors import InvalidParameter

MAGIC: Final = b"zonehost-stream\x01"
_HEADING: Final = struct.Struct("<cII")
HEADING_SIZE: Final = _HEADING.size
_LARGEST: Final = 16 << 20
DATA_SIZE: Final = 1 << 20
"""Bytes that a frame of data holds at most."""


class Kind(Enum):
    """What a frame is."""

    HEAD = b"H"
    LAYER = b"L"
    DATASET = b"S"
    DATA = b"d"
    END = b"e"
    DONE = b"D"


class Damaged(InvalidParameter):
    """The stream was cut, or changed on its way: what came before this frame is right."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands before a body."""

    kind: Kind
    size: int
    checksum: int

    def check(self, body: bytes | bytearray | memoryview) -> None:
        """Raises Damaged if this is not the body."""
        if _checksum(self.kind, body) != self.checksum:
            raise Damaged("the stream is damaged: a checksum is wrong")


def heading(kind: Kind, body: bytes | memoryview = b"") -> bytes:
    """What to write before a body."""
    return _HEADING.pack(kind.value, len(body), _checksum(kind, body))


def frame(kind: Kind, body: bytes = b"") -> bytes:
    """A whole frame."""
    return heading(kind, body) + body


def parse_heading(data: bytes | bytearray | memoryview, *kinds: Kind) -> Heading:
    """Read HEADING_SIZE bytes: the heading of a frame that must be of one of these kinds.

    Raises:
        Damaged: it is of another kind, or larger than a frame can be.
    """
    letter, size, checksum = _HEADING.unpack(data)
    for kind in kinds:
        if kind.value == letter:
            if size > (DATA_SIZE if kind is Kind.DATA else _LARGEST):
                raise Damaged("the stream is damaged: a frame is too large")
            return Heading(kind, size, checksum)
    raise Damaged(f"the stream is damaged: a frame {letter!r} is out of place")


def check_magic(magic: bytes) -> None:
    """Whether a stream begins so. Raises InvalidParameter if it is none, or one of a newer version."""
    if magic[:-1] != MAGIC[:-1]:
        raise InvalidParameter("this is no stream of zonehost send")
    if magic != MAGIC:
        raise InvalidParameter(f"the stream is of version {magic[-1]}, and only version {MAGIC[-1]} is known here")


CUT: Final = "the stream was cut: it ends before its end"


def _checksum(kind: Kind, body: bytes | bytearray | memoryview) -> int:
    from isal import isal_zlib  # here: a daemon that moves no stream need not hold it

    crc: int = isal_zlib.crc32(body, isal_zlib.crc32(kind.value))
    return crc
