"""DNS messages as bytes (RFC 1035): the question read, answers made. Pure; knows no names."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple

A: Final = 1
PTR: Final = 12
AAAA: Final = 28
OPT: Final = 41
ANY: Final = 255
_IN: Final = 1

NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NO_SUCH_NAME, NOT_IMPLEMENTED, REFUSED = range(6)

HEADER: Final = 12
PLAIN_SIZE: Final = 512
"""The largest answer by UDP without EDNS."""
LARGEST: Final = 65535
TTL: Final = 5
"""Seconds that a zone's name may be remembered: a name moves when its zone is replaced."""

_HEAD = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHHIH")
_RESPONSE, _TRUNCATED, _RECURSION_DESIRED, _RECURSION_AVAILABLE, _OPCODE = 0x8000, 0x0200, 0x0100, 0x0080, 0x7800
_QUESTION_POINTER: Final = 0xC000 | HEADER
_LONGEST_LABEL = 63
_OPTIONS: Final = b"\0" + struct.pack("!HHIH", OPT, 1232, 0, 0)
"""An OPT record of ours: the size that fits every link (RFC 6891, DNS flag day 2020)."""


class Malformed(Exception):
    """Bytes that are no question."""


class Question(NamedTuple):
    """What is asked: the name in lower case without its last dot, the type, and how large an answer may be by UDP."""

    name: str
    kind: int
    internet: bool
    section: bytes
    size: int
    flags: int
    edns: bool


def read_question(message: bytes) -> Question:
    """The one question of a query.

    Raises:
        Malformed: it is none, or not just one.
    """
    if len(message) < HEADER:
        raise Malformed
    _, flags, questions, answers, authorities, additional = _HEAD.unpack_from(message)
    if flags & _RESPONSE or questions != 1 or answers or authorities:
        raise Malformed
    labels, offset = _labels(message, HEADER)
    if len(message) < offset + 4:
        raise Malformed
    kind, group = struct.unpack_from("!HH", message, offset)
    size, edns = _offered_size(message, offset + 4) if additional else (PLAIN_SIZE, False)
    name = b".".join(labels).decode("ascii", "replace").lower()
    return Question(name, kind, group == _IN, message[HEADER : offset + 4], size, flags, edns)


def opcode(flags: int) -> int:
    """What kind of request it is; 0 is a query."""
    return (flags & _OPCODE) >> 11


def _labels(message: bytes, offset: int) -> tuple[list[bytes], int]:
    labels: list[bytes] = []
    while True:
        if offset >= len(message):
            raise Malformed
        length = message[offset]
        offset += 1
        if length == 0:
            return labels, offset
        if length > _LONGEST_LABEL or offset + length > len(message):
            raise Malformed
        labels.append(message[offset : offset + length])
        offset += length


def _offered_size(message: bytes, offset: int) -> tuple[int, bool]:
    """The size that an OPT record (RFC 6891) offers, if the first additional record is one."""
    if len(message) < offset + 11 or message[offset] != 0:
        return PLAIN_SIZE, False
    kind, size = struct.unpack_from("!HH", message, offset + 1)
    return (max(PLAIN_SIZE, size), True) if kind == OPT else (PLAIN_SIZE, False)


def answer(question: Question, values: Sequence[bytes], *, code: int = NO_ERROR, limit: int = 0) -> bytes:
    """An answer without its id: records of the asked type with these values, as many as fit in `limit` bytes."""
    limit = limit or question.size
    flags = _RESPONSE | _RECURSION_AVAILABLE | question.flags & (_RECURSION_DESIRED | _OPCODE) | code
    options = _OPTIONS if question.edns else b""
    room = limit - HEADER - len(question.section) - len(options)
    records: list[bytes] = []
    for value in values:
        record = _RECORD.pack(_QUESTION_POINTER, question.kind, _IN, TTL, len(value)) + value
        room -= len(record)
        if room < 0:
            flags |= _TRUNCATED
            break
        records.append(record)
    head = struct.pack("!HHHHH", flags, 1, len(records), 0, 1 if options else 0)
    return head + question.section + b"".join(records) + options


def refusal(message: bytes, code: int) -> bytes:
    """An answer to something that is no readable question: its header with the code."""
    flags = int.from_bytes(message[2:4], "big")
    head = _RESPONSE | _RECURSION_AVAILABLE | flags & (_RECURSION_DESIRED | _OPCODE) | code
    return message[:2] + struct.pack("!HHHHH", head, 0, 0, 0, 0)


def truncated(answer: bytes, query: bytes) -> bytes:
    """An answer cut to its question, with the mark that says so: the asker comes again by TCP."""
    flags = int.from_bytes(answer[2:4], "big") | _TRUNCATED
    return answer[:2] + struct.pack("!HHHHH", flags, 1, 0, 0, 0) + read_question(query).section


def address_value(address: str) -> bytes:
    """The value of an A or AAAA record."""
    return ip_address(address).packed


def can_be_written(name: str) -> bool:
    """Whether a name fits into a message: container names may be longer than DNS allows."""
    return name.isascii() and len(name) < 254 and all(0 < len(label) <= _LONGEST_LABEL for label in name.split("."))


def name_value(name: str) -> bytes:
    """The value of a PTR record."""
    labels = name.encode("ascii").split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def reverse_name(address: str) -> str:
    """The name under in-addr.arpa or ip6.arpa that a PTR question has for this address."""
    return ip_address(address).reverse_pointer


def same_question(query: bytes, reply: bytes) -> bool:
    """Whether a reply is to this query: id, response bit, and the question to the letter."""
    if len(reply) < HEADER or reply[:2] != query[:2] or not reply[2] & 0x80:
        return False
    try:
        _, end = _labels(query, HEADER)
    except Malformed:
        return False
    return reply[HEADER : end + 4].lower() == query[HEADER : end + 4].lower()
