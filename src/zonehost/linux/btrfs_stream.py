"""The send stream of btrfs, version 1, as commands: what the ioctl of `linux.btrfs.send` writes.

Numbers and layout are of the kernel's fs/btrfs/send.h and of btrfs-dev-docs' "dev-send-stream". Owns the format; knows
nothing of what a command does to a file system.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
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
    """One change; what it lacks raises BadStream when it is asked for. Its body is there until the next command."""

    kind: Kind
    fields: dict[int, memoryview]

    def view(self, field: Field) -> memoryview:
        """A field where it lies."""
        try:
            return self.fields[field]
        except KeyError:
            raise BadStream(f"a command {self.kind.name} has no {field.name}") from None

    def data(self, field: Field) -> bytes:
        """A field as it is."""
        return bytes(self.view(field))

    def number(self, field: Field) -> int:
        """A field that is a number of 64 bits."""
        return self._unpacked("<Q", field)[0]

    def nanoseconds(self, field: Field) -> int:
        """A field that is a time: seconds, and nanoseconds."""
        seconds, rest = self._unpacked("<qI", field)
        return seconds * 1_000_000_000 + rest

    def _unpacked(self, form: str, field: Field) -> tuple[int, ...]:
        try:
            return struct.unpack(form, self.view(field))
        except struct.error as error:
            raise BadStream(f"{field.name} of a command {self.kind.name}: {error}") from error


class CommandBuffer:
    """Holds what has come of a stream, and gives the commands that are whole, without copying their data.

    `offset` counts the bytes of the commands that were given and done, without the END. `trail` is a hash over their
    headings, each of which has the kernel's checksum of its command: two streams with one trail at one offset are the
    same up to there.
    """

    def __init__(self, largest: int, offset: int = 0, trail: str = "") -> None:
        """`largest` is the most bytes that come at once."""
        self.offset = offset
        self.ended = False
        self._trail = bytes.fromhex(trail)
        self._buffer = memoryview(bytearray(_LARGEST + _COMMAND.size + largest))
        self._at = self._held = 0

    @property
    def trail(self) -> str:
        """The hash, as text."""
        return self._trail.hex()

    @property
    def rest(self) -> memoryview:
        """What has come and was not given as commands."""
        return self._buffer[self._at : self._held]

    def room(self, size: int) -> memoryview:
        """Where to put the next bytes."""
        rest = self._held - self._at
        self._buffer[:rest] = bytes(self.rest)
        self._at, self._held = 0, rest
        return self._buffer[rest : rest + size]

    def commands(self, size: int) -> Generator[Command]:
        """The commands that are whole now that so many bytes were put in; each is done when the next is asked for.

        Raises:
            BadStream: this is no send stream, or of another version, or damaged.
        """
        self._held += size
        if not self.offset and not self._begin():
            return
        while not self.ended and len(self.rest) >= _COMMAND.size:
            heading = bytes(self.rest[: _COMMAND.size])
            length, number, _ = _COMMAND.unpack(heading)
            if length > _LARGEST:
                raise BadStream(f"a command of {length} bytes")
            whole = _COMMAND.size + length
            if len(self.rest) < whole:
                return
            try:
                kind = Kind(number)
            except ValueError:
                raise BadStream(f"there is no command {number}") from None
            yield Command(kind, _fields(self.rest[_COMMAND.size : whole]))
            self._at += whole
            if kind is Kind.END:
                self.ended = True
                return
            self._trail = sha256(self._trail + heading).digest()
            self.offset += whole

    def _begin(self) -> bool:
        size = len(MAGIC) + _VERSION.size
        if len(self.rest) < size:
            return False
        if bytes(self.rest[: len(MAGIC)]) != MAGIC:
            raise BadStream("it does not begin as a btrfs send stream")
        (version,) = _VERSION.unpack(self.rest[len(MAGIC) : size])
        if version != 1:
            raise BadStream(f"it is of version {version}, and only version 1 is known")
        self._at += size
        self.offset = size
        return True


def _fields(body: memoryview) -> dict[int, memoryview]:
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
