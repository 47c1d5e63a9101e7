"""Netlink: framing, acknowledgements and dumps, for any of its families.

Requests are values; a `Channel` sends many of them in one system call and gives back one answer each. The module
knows messages and attributes (netlink(7)), not what they mean. Its calls block while the kernel works, which for
links can be many milliseconds: they belong in a worker thread.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from zonehost.linux import namespaces

REQUEST: Final = 0x1
ACK: Final = 0x4
EXCLUSIVE: Final = 0x200
CREATE: Final = 0x400
APPEND: Final = 0x800
REPLACE: Final = 0x100
DUMP: Final = 0x300

_ERROR, _DONE = 2, 3
_NESTED, _TYPE_MASK = 0x8000, 0x3FFF
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_U32 = struct.Struct("=I")
_RECEIVE = 1 << 18


@dataclass(frozen=True, slots=True)
class Request:
    """One message to the kernel: its type, its flags beyond REQUEST and ACK, its body, and whether it is answered."""

    kind: int
    flags: int
    body: bytes
    acknowledged: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """One message from the kernel."""

    kind: int
    body: bytes


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(len(value) + 4, kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute made of attributes."""
    return attribute(kind | _NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    """A string attribute, terminated."""
    return attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    """A 32-bit attribute in the host's byte order."""
    return attribute(kind, _U32.pack(value))


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in the data, one after the other, without flags."""
    offset = 0
    while offset + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4:
            return
        yield kind & _TYPE_MASK, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


@contextmanager
def entered(netns: int) -> Iterator[None]:
    """The calling thread, and no other, is in the network namespace of this descriptor (setns(2)) meanwhile.

    Sockets opened there stay there; /proc/sys/net shows that namespace.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        namespaces.enter(netns, namespaces.NEWNET)
        try:
            yield
        finally:
            namespaces.enter(home, namespaces.NEWNET)
    finally:
        os.close(home)


class Channel:
    """A netlink socket in the network namespace of the calling thread. Not for two threads at once."""

    def __init__(self, family: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
        self._socket.bind((0, 0))
        self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
        self._sequence = 0

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def __enter__(self) -> Channel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, requests: Sequence[Request]) -> list[OSError | None]:
        """Send all in one datagram; the kernel handles each in turn, whatever became of those before it.

        The answers are in the order of the requests: None, or the error with the kernel's own explanation. An error of
        an unacknowledged request, as the frame of an nfnetlink batch, is the last: nothing after it was handled.
        """
        first = self._sequence + 1
        answers: list[OSError | None] = [None] * len(requests)
        self._transmit(requests, ACK)
        waiting = sum(request.acknowledged for request in requests)
        while waiting > 0:
            for message, sequence in self._receive():
                index = sequence - first
                if message.kind == _ERROR and 0 <= index < len(answers):
                    answers[index] = _error(message.body)
                    waiting -= 1 if requests[index].acknowledged else waiting
        return answers

    def do(self, *requests: Request) -> None:
        """Send all in one datagram.

        Raises:
            OSError: the first error among the answers; requests after it were handled too.
        """
        for answer in self.send(requests):
            if answer is not None:
                raise answer

    def ask(self, request: Request) -> list[Message]:
        """The messages that answer one query or dump.

        Raises:
            OSError: what the kernel answered instead.
        """
        dump = request.flags & DUMP == DUMP
        self._transmit([request], 0)
        found: list[Message] = []
        while True:
            for message, sequence in self._receive():
                if sequence != self._sequence:
                    continue
                if message.kind == _ERROR:
                    _raise(_error(message.body))
                    return found
                if message.kind == _DONE:
                    return found
                found.append(message)
                if not dump:
                    return found

    def _transmit(self, requests: Sequence[Request], flags: int) -> None:
        parts: list[bytes] = []
        for request in requests:
            self._sequence += 1
            all_flags = REQUEST | request.flags | (flags if request.acknowledged else 0)
            head = _HEADER.pack(_HEADER.size + len(request.body), request.kind, all_flags, self._sequence, 0)
            parts += (head, request.body, bytes(-len(request.body) % 4))
        self._socket.send(b"".join(parts))

    def _receive(self) -> Iterator[tuple[Message, int]]:
        return _messages(self._socket.recv(_RECEIVE))


class Listener:
    """What the kernel tells of its own accord to the multicast groups of a family, as a bit mask. Never blocks.

    `missed`: the socket's buffer was full (ENOBUFS) since this was last set to False, and news are lost.
    """

    def __init__(self, family: int, groups: int) -> None:
        self.missed = False
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
        self._socket.setblocking(False)
        self._socket.bind((0, groups))

    def fileno(self) -> int:
        """The socket's descriptor, readable when there is news."""
        return self._socket.fileno()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def news(self) -> list[Message]:
        """What has arrived."""
        found: list[Message] = []
        while True:
            try:
                found += (message for message, _ in _messages(self._socket.recv(_RECEIVE)))
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.missed = True


def _messages(data: bytes) -> Iterator[tuple[Message, int]]:
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _flags, sequence, _port = _HEADER.unpack_from(data, offset)
        yield Message(kind, data[offset + _HEADER.size : offset + length]), sequence
        offset += (length + 3) & ~3


def _raise(error: OSError | None) -> None:
    """Raise the error, if it is one, from a frame that does not hold it: else both stay until the collector comes."""
    try:
        if error is not None:
            raise error
    finally:
        del error


def _error(body: bytes) -> OSError | None:
    """What an NLMSG_ERROR says: errno, and where the kernel has one a sentence (NLMSGERR_ATTR_MSG)."""
    number = -int.from_bytes(body[:4], sys.byteorder, signed=True)
    if number == 0:
        return None
    sentence = os.strerror(number)
    for kind, value in attributes(body[4 + _HEADER.size :]):
        if kind == 1:
            sentence = f"{sentence}: {value.rstrip(bytes(1)).decode()}"
    return OSError(number, sentence)
