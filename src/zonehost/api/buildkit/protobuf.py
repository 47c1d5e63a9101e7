"""Protocol buffers, as far as BuildKit's messages need them (protobuf.dev, "Encoding"; proto3).

A message is a frozen struct whose fields say their numbers: `name: Annotated[str, 1] = ""`. Known types are str, bytes,
bool, int (varints, 64 bits), messages, tuples of these, and maps from str. What has its default is not sent, and what
is not known is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, Self, Union, get_args, get_origin, get_type_hints

import msgspec

from zonehost.errors import InvalidParameter

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5
_WORD: Final = 1 << 64
_LONGEST: Final = 10
"""Bytes of the longest varint."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message. Its fields all have a default."""

    def encode(self) -> bytes:
        """The message in bytes."""
        out = bytearray()
        for field in _fields(type(self)):
            value = getattr(self, field.name)
            if value != field.default:
                field.write(out, field.key, value)
        return bytes(out)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The message that the bytes hold. Raises InvalidParameter if they hold none."""
        found: dict[str, Any] = {}
        known = _by_number(cls)
        for number, kind, value in _parts(data):
            field = known.get(number)
            if field is not None and field.kind == kind:
                found[field.name] = field.add(found.get(field.name), value)
        return cls(**found)


class _Type(NamedTuple):
    """How one value of a type is read from what `_parts` gives, and written."""

    kind: int
    read: Callable[[Any], Any]
    write: Callable[[bytearray, Any], None]


class _Field(NamedTuple):
    name: str
    key: bytes
    kind: int
    default: Any
    write: Callable[[bytearray, bytes, Any], None]
    add: Callable[[Any, Any], Any]


def varint(value: int) -> bytes:
    """A whole number, negative ones as 64 bits in two's complement."""
    value %= _WORD
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for end in range(at, min(at + _LONGEST, len(data))):
        value |= (data[end] & 0x7F) << shift
        if data[end] < 0x80:
            return value % _WORD, end + 1
        shift += 7
    raise InvalidParameter("a message is damaged: a number does not end")


def _parts(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """The fields of a message in their order: number, wire type, and an int or bytes."""
    at, end = 0, len(data)
    while at < end:
        key, at = _read_varint(data, at)
        number, kind = key >> 3, key & 7
        value: int | bytes
        if kind == _VARINT:
            value, at = _read_varint(data, at)
        elif kind in (_BYTES, _FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
            if kind == _BYTES:
                size, at = _read_varint(data, at)
            if at + size > end:
                raise InvalidParameter("a message is damaged: it ends within a field")
            value, at = data[at : at + size], at + size
        else:
            raise InvalidParameter(f"a message is damaged: there is no wire type {kind}")
        yield number, kind, value


@cache
def _fields(kind: type[Message]) -> tuple[_Field, ...]:
    hints = get_type_hints(kind, include_extras=True)
    empty = kind()
    found = []
    for name, hint in hints.items():
        meaning, number = get_args(hint)
        found.append(_field(name, meaning, number, getattr(empty, name)))
    return tuple(found)


@cache
def _by_number(kind: type[Message]) -> dict[int, _Field]:
    return {_read_varint(field.key, 0)[0] >> 3: field for field in _fields(kind)}


def _field(name: str, hint: Any, number: int, default: Any) -> _Field:
    origin = get_origin(hint)
    if origin is dict:
        return _map(name, get_args(hint)[1], number, default)
    one = _type(get_args(hint)[0] if origin is tuple else hint)
    key = varint(number << 3 | one.kind)

    def write(out: bytearray, key: bytes, value: Any) -> None:
        for each in value if origin is tuple else (value,):
            out += key
            one.write(out, each)

    def add(before: Any, value: Any) -> Any:
        return (*(before or ()), one.read(value)) if origin is tuple else one.read(value)

    return _Field(name, key, one.kind, default, write, add)


def _map(name: str, hint: Any, number: int, default: Any) -> _Field:
    """A map is a repeated message of a key (1) and a value (2)."""
    text, one = _type(str), _type(hint)
    first, second = varint(1 << 3 | text.kind), varint(2 << 3 | one.kind)
    empty = one.read(0 if one.kind == _VARINT else b"")

    def write(out: bytearray, key: bytes, value: dict[str, Any]) -> None:
        for each, meaning in value.items():
            pair = bytearray(first)
            text.write(pair, each)
            pair += second
            one.write(pair, meaning)
            out += key
            _write_bytes(out, bytes(pair))

    def add(before: dict[str, Any] | None, value: bytes) -> dict[str, Any]:
        found = {part: content for part, _, content in _parts(value)}
        meaning = one.read(found[2]) if 2 in found else empty
        return {**(before or {}), text.read(found.get(1, b"")): meaning}

    return _Field(name, varint(number << 3 | _BYTES), _BYTES, default, write, add)


def _type(hint: Any) -> _Type:
    if get_origin(hint) in (Union, UnionType):
        hint = next(each for each in get_args(hint) if each is not NoneType)
    if hint is bool:
        return _Type(_VARINT, bool, _write_varint)
    if hint is int:
        return _Type(_VARINT, _signed, _write_varint)
    if hint is bytes:
        return _Type(_BYTES, bytes, _write_bytes)
    if hint is str:
        return _Type(_BYTES, _text, lambda out, value: _write_bytes(out, value.encode("utf-8", "surrogateescape")))
    return _Type(_BYTES, hint.decode, lambda out, value: _write_bytes(out, value.encode()))


def _write_varint(out: bytearray, value: int) -> None:
    out += varint(value)


def _write_bytes(out: bytearray, value: bytes) -> None:
    out += varint(len(value))
    out += value


def _signed(value: int) -> int:
    return value - _WORD if value >> 63 else value


def _text(value: bytes) -> str:
    """File names need not be UTF-8, and Go sends them in strings all the same."""
    return value.decode("utf-8", "surrogateescape")
