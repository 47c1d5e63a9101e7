"""New connections as the kernel's connection tracking tells of them (ctnetlink).

Sources: linux/netfilter/nfnetlink_conntrack.h and nfnetlink_compat.h. Tells of connections that this network namespace
forwards or makes, from the moment the socket is open, if tracking is in use there.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from zonehost.linux.netlink import attributes

_NETLINK_NETFILTER: Final = 12
_GROUP_NEW: Final = 1
_SOL_NETLINK: Final = 270
_ADD_MEMBERSHIP: Final = 1
_NO_ENOBUFS: Final = 5
_HEADER: Final = struct.Struct("=IHHII")
_NEW: Final = 1 << 8
_FAMILY_HEADER: Final = 4
_BUFFER: Final = 1 << 20
_RECEIVE: Final = 1 << 16
_TUPLE, _IP, _PROTOCOL = 1, 1, 2
_SOURCES: Final = (1, 3)
_TARGETS: Final = (2, 4)
_NUMBER, _TARGET_PORT = 1, 3


@dataclass(frozen=True, slots=True)
class Connection:
    """Who spoke to whom: addresses as text, the protocol's number, the port, 0 for a protocol without ports."""

    source: str
    target: str
    protocol: int
    port: int


def open_events() -> socket.socket:
    """A socket, not blocking, that gets every new connection.

    Raises:
        OSError: the kernel has no connection tracking, or this process may not ask.
    """
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
    try:
        events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        events.setsockopt(_SOL_NETLINK, _NO_ENOBUFS, 1)
        events.bind((0, 0))
        events.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP_NEW)
        events.setblocking(False)
    except OSError:
        events.close()
        raise
    return events


def read_events(events: socket.socket) -> Iterator[Connection]:
    """The connections that wait to be read."""
    while True:
        try:
            data = events.recv(_RECEIVE)
        except BlockingIOError:
            return
        offset = 0
        while offset + _HEADER.size <= len(data):
            length, kind, *_ = _HEADER.unpack_from(data, offset)
            if length < _HEADER.size:
                break
            if kind == _NEW:
                body = data[offset + _HEADER.size + _FAMILY_HEADER : offset + length]
                if (found := parse(body)) is not None:
                    yield found
            offset += (length + 3) & ~3


def parse(body: bytes) -> Connection | None:
    """The connection that a message tells of; None if it does not say between whom."""
    original = dict(attributes(body)).get(_TUPLE)
    if original is None:
        return None
    parts = dict(attributes(original))
    addresses = dict(attributes(parts.get(_IP, b"")))
    protocol = dict(attributes(parts.get(_PROTOCOL, b"")))
    source = next((addresses[kind] for kind in _SOURCES if kind in addresses), None)
    target = next((addresses[kind] for kind in _TARGETS if kind in addresses), None)
    if source is None or target is None:
        return None
    return Connection(
        str(ipaddress.ip_address(source)),
        str(ipaddress.ip_address(target)),
        protocol.get(_NUMBER, b"\0")[0],
        int.from_bytes(protocol.get(_TARGET_PORT, b""), "big"),
    )
