"""Docker's multiplexed stream: which bytes are output and which are errors, in one connection.

Each chunk has a head of eight bytes: the stream's number, three zeros, and the length, big-endian (API reference,
"Attach to a container", "Stream format").
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from zonehost.ports.streams import Stream

_HEAD: Final = struct.Struct(">BxxxL").pack


def multiplexed(batch: Iterable[tuple[Stream, bytes]]) -> bytes:
    """The chunks with their heads, as one piece."""
    parts: list[bytes] = []
    for stream, data in batch:
        parts.append(_HEAD(stream, len(data)))
        parts.append(data)
    return b"".join(parts)


def raw(batch: list[tuple[Stream, bytes]]) -> bytes:
    """The chunks without a mark of their streams, as one piece."""
    return batch[0][1] if len(batch) == 1 else b"".join([data for _, data in batch])
