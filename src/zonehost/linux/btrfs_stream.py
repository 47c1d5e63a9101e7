"""The send stream of btrfs, version 1, as commands: what the ioctl of `linux.btrfs.send` writes.

Numbers and layout are of the kernel's fs/btrfs/send.h and of btrfs-dev-docs' "dev-send-stream". Owns the format; knows
nothing of what a command does to a file system.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

MAGIC: Final = b"btrfs-stream\0"
_VERSION: Final = struct.Struct("<I")
_COMMAND: Final = struct.Struct("<IHI")
_ATTRIBUTE: Final = struct.Struct("<HH")
_LARGEST: Final = 1 << 20


class BadStream(ValueError):
    """The bytes are not a send stream of this version."""


class Kind(IntEnum):
    """BTRFS_SEND_C_…"""

    SUBVOLUME = 1
    SNAPSHOT = 2
    MKFILE = 3
    MKDIR = 4
    MKNOD = 5
    MKFIFO = 6
    MKSOCK = 7
    SYMLINK = 8
    RENAME = 9
    LINK = 10
    UNLINK = 11
    RMDIR = 12
    SET_XATTR = 13
    REMOVE_XATTR = 14
    WRITE = 15
    CLONE = 16
    TRUNCATE = 17
    CHMOD = 18
    CHOWN = 19
    UTIMES = 20
    END = 21
    UPDATE_EXTENT = 22


class Field(IntEnum):
    """BTRFS_SEND_A_…, those that are used."""

    SIZE = 4
    MODE = 5
    UID = 6
    GID = 7
    RDEV = 8
    MTIME = 10
    ATIME = 11
    XATTR_NAME = 13
    XATTR_DATA = 14
    PATH = 15
    PATH_TO = 16
    PATH_LINK = 17
    FILE_OFFSET = 18
    DATA = 19
    CLONE_PATH = 22
    CLONE_OFFSET = 23
    CLONE_LENGTH = 24


@dataclass(frozen=True, slots=True)
class Command:
    """One change; what it lacks raises BadStream when it is asked for."""

    kind: Kind
    fields: dict[int, bytes]

    def data(self, field: Field) -> bytes:
        """A field as it is."""
        try:
            return self.fields[field]
        except KeyError:
            raise BadStream(f"a command {self.kind.name} has no {field.name}") from None

    def number(self, field: Field) -> int:
        """A field that is a number of 64 bits."""
        return self._unpacked("<Q", field)[0]

    def nanoseconds(self, field: Field) -> int:
        """A field that is a time: seconds, and nanoseconds."""
        seconds, rest = self._unpacked("<qI", field)
        return seconds * 1_000_000_000 + rest

    def _unpacked(self, form: str, field: Field) -> tuple[int, ...]:
        try:
            return struct.unpack(form, self.data(field))
        except struct.error as error:
            raise BadStream(f"{field.name} of a command {self.kind.name}: {error}") from error


def commands(chunks: Iterable[bytes]) -> Iterator[Command]:
    """The commands of a stream that comes in pieces of any size.

    Raises:
        BadStream: it is none, of another version, damaged, or ends before its end.
    """
    source = _Source(iter(chunks))
    if source.take(len(MAGIC)) != MAGIC:
        raise BadStream("it does not begin as a btrfs send stream")
    (version,) = _VERSION.unpack(source.take(_VERSION.size))
    if version != 1:
        raise BadStream(f"it is of version {version}, and only version 1 is known")
    while True:
        size, number, _ = _COMMAND.unpack(source.take(_COMMAND.size))
        if size > _LARGEST:
            raise BadStream(f"a command of {size} bytes")
        try:
            kind = Kind(number)
        except ValueError:
            raise BadStream(f"there is no command {number}") from None
        fields = _fields(source.take(size))
        if kind is Kind.END:
            return
        yield Command(kind, fields)


def _fields(body: bytes) -> dict[int, bytes]:
    fields = {}
    at = 0
    while at < len(body):
        if at + _ATTRIBUTE.size > len(body):
            raise BadStream("a field is cut")
        number, size = _ATTRIBUTE.unpack_from(body, at)
        at += _ATTRIBUTE.size
        if at + size > len(body):
            raise BadStream("a field is cut")
        fields[number] = body[at : at + size]
        at += size
    return fields


class _Source:
    """Bytes by number, from pieces of any size."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        while len(self._held) - self._at < size:
            try:
                more = next(self._chunks)
            except StopIteration:
                raise BadStream("it ends too early") from None
            self._held = self._held[self._at :] + more
            self._at = 0
        taken = self._held[self._at : self._at + size]
        self._at += size
        return taken
