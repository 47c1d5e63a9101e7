"""Questions that no zone answers, put to name servers outside: UDP, one socket a question, so that none can be guessed.

A reply counts only from the server asked, with the id and the question asked. The next server is tried when one is
dead, slow or fails; when all have, there is no reply.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Final

from zonehost.drivers.network.resolver import wire

PORT: Final = 53
PATIENCE: Final = 2.0
"""Seconds that a server has to answer."""
ROUNDS: Final = 2
MOST: Final = 512
"""Questions under way at once; further ones fail at once."""

Reply = Callable[[bytes | None], None]
Watch = Callable[[socket.socket, Callable[[], None] | None], None]
"""Calls back when the socket can be read; None stops that."""


class HostServers:
    """The host's own name servers, read again when their file changes (resolv.conf(5))."""

    def __init__(self, path: str = "/etc/resolv.conf") -> None:
        self._path = path
        self._seen = (0, 0)
        self._servers: tuple[str, ...] = ()

    def current(self) -> tuple[str, ...]:
        """Their addresses, in order."""
        try:
            with open(self._path) as file:
                status = os.fstat(file.fileno())
                seen = (status.st_mtime_ns, status.st_ino)
                if seen != self._seen:
                    words = [line.split() for line in file]
                    self._servers = tuple(line[1] for line in words if len(line) > 1 and line[0] == "nameserver")
                    self._seen = seen
        except OSError:
            self._servers = ()
        return self._servers


class _Asked:
    """One question under way."""

    def __init__(self, query: bytes, servers: tuple[str, ...], reply: Reply) -> None:
        self.query = os.urandom(2) + query[2:]
        self.identity = query[:2]
        self.left: Iterator[str] = iter(servers * ROUNDS)
        self.reply = reply
        self.socket: socket.socket | None = None
        self.failure: bytes | None = None


class Forwarder:
    """Puts questions to servers; driven by whoever polls its sockets and calls `expire` in time."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._deadlines: list[tuple[float, int, _Asked, socket.socket]] = []
        self._order = count()
        self._under_way = 0

    def ask(self, query: bytes, servers: tuple[str, ...], reply: Reply) -> None:
        """Call back with the answer under the query's id, or None if no server has one."""
        if self._under_way >= MOST:
            reply(None)
            return
        self._under_way += 1
        self._try_next(_Asked(query, servers, reply))

    def wait(self) -> float:
        """Seconds until `expire` has something to do; -1 for never."""
        while self._deadlines and self._deadlines[0][2].socket is not self._deadlines[0][3]:
            heappop(self._deadlines)
        return max(0.0, self._deadlines[0][0] - time.monotonic()) if self._deadlines else -1

    def expire(self) -> None:
        """Give up on servers whose time is over."""
        while self._deadlines and self._deadlines[0][0] <= time.monotonic():
            _, _, asked, used = heappop(self._deadlines)
            if asked.socket is used:
                self._try_next(asked)

    def _try_next(self, asked: _Asked) -> None:
        self._drop_socket(asked)
        for server in asked.left:
            family = socket.AF_INET6 if ":" in server else socket.AF_INET
            try:
                used = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            except OSError:
                break
            try:
                used.connect((server, PORT))
                used.send(asked.query)
            except (OSError, UnicodeError):
                used.close()
                continue
            asked.socket = used
            heappush(self._deadlines, (time.monotonic() + PATIENCE, next(self._order), asked, used))
            self._watch(used, lambda: self._read(asked))
            return
        self._finish(asked, asked.failure)

    def _read(self, asked: _Asked) -> None:
        assert asked.socket is not None
        try:
            answer = asked.socket.recv(wire.LARGEST)
        except BlockingIOError:
            return
        except OSError:
            self._try_next(asked)
            return
        if not wire.same_question(asked.query, answer):
            return
        if answer[3] & 0x0F in (wire.SERVER_FAILURE, wire.REFUSED):
            asked.failure = answer
            self._try_next(asked)
        else:
            self._finish(asked, answer)

    def _finish(self, asked: _Asked, answer: bytes | None) -> None:
        self._drop_socket(asked)
        self._under_way -= 1
        asked.reply(None if answer is None else asked.identity + answer[2:])

    def _drop_socket(self, asked: _Asked) -> None:
        if asked.socket is not None:
            self._watch(asked.socket, None)
            asked.socket.close()
            asked.socket = None


def ask_by_stream(query: bytes, servers: tuple[str, ...]) -> bytes | None:
    """The answer by TCP, for questions that came by TCP; blocks, within each server's patience."""
    for server in servers:
        try:
            with socket.create_connection((server, PORT), PATIENCE) as stream:
                stream.sendall(len(query).to_bytes(2, "big") + query)
                answer = read_message(stream)
        except OSError:
            continue
        if answer is not None and wire.same_question(query, answer):
            return answer
    return None


def read_message(stream: socket.socket) -> bytes | None:
    """One message of a TCP stream (RFC 1035, 4.2.2); None at its end."""
    head = _read_exactly(stream, 2)
    return _read_exactly(stream, int.from_bytes(head, "big")) if head else None


def _read_exactly(stream: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = stream.recv(size - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)
