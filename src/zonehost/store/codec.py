"""A record as a row and back: JSON with a checksum, so that damage to one row is seen and stays in that row."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from zonehost.domain.container import Container
from zonehost.domain.image import Image, Tag
from zonehost.domain.network import Network
from zonehost.domain.sending import Partial
from zonehost.domain.snapshot import Schedule, Snapshot
from zonehost.domain.volume import Volume
from zonehost.ports.records import Record

_TYPES: Final[tuple[type[Record], ...]] = (Container, Image, Tag, Network, Volume, Snapshot, Schedule, Partial)
_DECODERS: Final = {type_.kind: msgspec.json.Decoder(type_) for type_ in _TYPES}
_ENCODER: Final = msgspec.json.Encoder()

Key = tuple[str, str]
"""Kind and key of a record."""


class Row(NamedTuple):
    """What is on the disk of one record."""

    kind: str
    key: str
    body: bytes
    checksum: int

    @property
    def name(self) -> Key:
        """Which record it is of."""
        return self.kind, self.key

    @property
    def sound(self) -> bool:
        """Whether the body is what was written."""
        return isinstance(self.body, bytes) and zlib.crc32(self.body) == self.checksum


class Damaged(Exception):
    """The bytes are not what was written, or not of a kind that is known."""


def encode(record: Record) -> Row:
    """The record's JSON and its CRC-32."""
    body = _ENCODER.encode(record)
    return Row(record.kind, record.key, body, zlib.crc32(body))


def decode(row: Row) -> Record:
    """The record.

    Raises:
        Damaged: the checksum differs, the kind is unknown, the JSON does not fit, or it is of another record.
    """
    if not row.sound:
        raise Damaged("its checksum is wrong")
    decoder = _DECODERS.get(row.kind)
    if decoder is None:
        raise Damaged(f"{row.kind} is not a kind of record")
    try:
        record = decoder.decode(row.body)
    except msgspec.DecodeError as error:
        raise Damaged(str(error)) from error
    if record.key != row.key:
        raise Damaged(f"it is the record of {record.key}")
    return record


def digest(rows: Iterable[Row]) -> int:
    """A number that says which rows there are, whatever their order: the XOR of a checksum of each."""
    total = 0
    for row in rows:
        total ^= zlib.crc32(f"{row.kind}\0{row.key}\0{row.checksum}".encode())
    return total
