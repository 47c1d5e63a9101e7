"""Datagrams received and answered many at a time: recvmmsg(2) and sendmmsg(2), which Python's sockets do not have.

One `Exchange` serves any number of IPv4 sockets, one after the other. It knows bytes and who sent them, not what they
mean.
"""

from __future__ import annotations

import ctypes
import socket
from typing import Final

COUNT: Final = 32
"""Datagrams that come at once, at most."""
SIZE: Final = 4096
"""Bytes that one may have, to be received whole or sent."""

_libc: Final = ctypes.CDLL(None)


class _Name(ctypes.Structure):
    """struct sockaddr_in (ip(7))."""

    _fields_ = (
        ("family", ctypes.c_uint16),
        ("port", ctypes.c_char * 2),
        ("address", ctypes.c_char * 4),
        ("zero", ctypes.c_char * 8),
    )


class _Part(ctypes.Structure):
    """struct iovec (readv(2))."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr (recvmsg(2))."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("parts", ctypes.c_void_p),
        ("parts_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr (recvmmsg(2))."""

    _fields_ = (("header", _Header), ("length", ctypes.c_uint))


class Exchange:
    """Room for the datagrams of one moment; an answer takes the place of its question, and goes to whoever sent it."""

    def __init__(self) -> None:
        room = bytearray(COUNT * SIZE)
        start = ctypes.addressof(ctypes.c_char.from_buffer(room))
        self._rooms = [memoryview(room)[n * SIZE : (n + 1) * SIZE] for n in range(COUNT)]
        self._parts = (_Part * COUNT)(*(_Part(start + n * SIZE, SIZE) for n in range(COUNT)))
        self._names = (_Name * COUNT)()
        self._messages = (_Message * COUNT)(
            *(
                _Message(_Header(ctypes.addressof(name), ctypes.sizeof(name), ctypes.addressof(part), 1))
                for name, part in zip(self._names, self._parts, strict=True)
            )
        )
        # An array of ctypes makes a new object at each look at an element: these are kept.
        self._each = list(zip(self._rooms, self._parts, self._messages, strict=True))
        self._came = 0

    def receive(self, datagrams: socket.socket) -> list[bytes]:
        """What has come, without waiting."""
        for _, part, _ in self._each[: self._came]:
            part.length = SIZE
        came: int = _libc.recvmmsg(datagrams.fileno(), self._messages, COUNT, socket.MSG_DONTWAIT, None)
        self._came = max(0, came)
        return [bytes(room[: message.length]) for room, _, message in self._each[: self._came]]

    def sender(self, position: int) -> tuple[str, int]:
        """Who sent the datagram at this position of the last that came."""
        raw = bytes(self._names[position])
        return socket.inet_ntoa(raw[4:8]), int.from_bytes(raw[2:4], "big")

    def answer(self, position: int, text: bytes) -> None:
        """Put this, of at most `SIZE` bytes, into the place of the datagram at this position."""
        room, part, _ = self._each[position]
        room[: len(text)] = text
        part.length = len(text)

    def send(self, datagrams: socket.socket, first: int, end: int) -> None:
        """Send what was put into these places; what the socket does not take is lost, as datagrams may be."""
        while first < end:
            messages = ctypes.byref(self._messages, first * ctypes.sizeof(_Message))
            sent = _libc.sendmmsg(datagrams.fileno(), messages, end - first, socket.MSG_DONTWAIT)
            first += max(1, sent)
