"""Extended headers: `length key=value` records (POSIX.1-2017, pax, "pax Extended Header")."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from zonehost.errors import InvalidParameter

SECOND: Final = 1_000_000_000
_DIGITS: Final = 64
_SCHILY: Final = b"SCHILY.xattr."
_LIBARCHIVE: Final = b"LIBARCHIVE.xattr."


def records(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values in the order in which they stand; a key may come more than once.

    Raises:
        InvalidParameter: the body is no list of records.
    """
    position = 0
    while position < len(body):
        digits, _, _ = body[position : position + 20].partition(b" ")
        if not digits.isdigit():
            raise _damaged()
        end = position + int(digits)
        record = body[position + len(digits) + 1 : end]
        key, equals, value = record.partition(b"=")
        if end > len(body) or not equals or value[-1:] != b"\n":
            raise _damaged()
        yield key, value[:-1]
        position = end


def render(items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The records of an extended header, in the given order."""
    body = b""
    for key, value in items:
        bare = len(key) + len(value) + 3
        length = bare + len(str(bare))
        if len(str(length)) > len(str(bare)):
            length += 1
        body += b"%d %s=%s\n" % (length, key, value)
    return body


def xattrs(found: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The extended attributes among the records, by name, as star and GNU tar write them, or libarchive."""
    attributes = {}
    for key, value in found.items():
        if key.startswith(_LIBARCHIVE):
            name = unquote_to_bytes(key.removeprefix(_LIBARCHIVE))
            try:
                attributes[name] = base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
            except binascii.Error:
                raise _damaged() from None
    for key, value in found.items():
        if key.startswith(_SCHILY):
            attributes[key.removeprefix(_SCHILY)] = value
    return attributes


def xattr_records(attributes: dict[bytes, bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The records of extended attributes, sorted."""
    for name in sorted(attributes):
        yield _SCHILY + name, attributes[name]


def integer(value: bytes) -> int:
    """A decimal number.

    Raises:
        InvalidParameter: it is none, or longer than any in an archive: Python refuses to convert thousands of digits.
    """
    if not value.removeprefix(b"-").isdigit() or len(value) > _DIGITS:
        raise _damaged()
    return int(value)


def nanoseconds(value: bytes) -> int:
    """A time in decimal seconds with a fraction, which may be negative, in nanoseconds.

    Raises:
        InvalidParameter: it is none.
    """
    whole, _, fraction = value.partition(b".")
    if fraction and not fraction.isdigit():
        raise _damaged()
    part = int(fraction[:9].ljust(9, b"0"))
    return integer(whole) * SECOND + (-part if whole.startswith(b"-") else part)


def seconds(time: int) -> bytes:
    """A time in nanoseconds as decimal seconds."""
    whole, part = divmod(abs(time), SECOND)
    digits = b"%s%d.%09d" % (b"-" if time < 0 else b"", whole, part)
    return digits.rstrip(b"0").rstrip(b".")


def _damaged() -> InvalidParameter:
    return InvalidParameter("the archive has a damaged extended header")
