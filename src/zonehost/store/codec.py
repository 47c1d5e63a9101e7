"""A record as bytes and back: JSON with a checksum, so that damage to one row is seen and stays in that row."""

from __future__ import annotations

import zlib
from typing import Final

import msgspec

from zonehost.domain.container import Container
from zonehost.domain.image import Image, Tag
from zonehost.domain.network import Network
from zonehost.domain.snapshot import Schedule, Snapshot
from zonehost.domain.volume import Volume
from zonehost.ports.records import Record

_TYPES: Final[tuple[type[Record], ...]] = (Container, Image, Tag, Network, Volume, Snapshot, Schedule)
_DECODERS: Final = {type_.kind: msgspec.json.Decoder(type_) for type_ in _TYPES}
_ENCODER: Final = msgspec.json.Encoder()


class Damaged(Exception):
    """The bytes are not what was written, or not of a kind that is known."""


def encode(record: Record) -> tuple[bytes, int]:
    """The record's JSON and its CRC-32."""
    body = _ENCODER.encode(record)
    return body, zlib.crc32(body)


def decode(kind: str, body: bytes, checksum: int) -> Record:
    """The record.

    Raises:
        Damaged: the checksum differs, the kind is unknown, or the JSON does not fit.
    """
    if zlib.crc32(body) != checksum:
        raise Damaged("its checksum is wrong")
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise Damaged(f"{kind} is not a kind of record")
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise Damaged(str(error)) from error
