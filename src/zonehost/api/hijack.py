"""Connections that leave HTTP (Docker's "hijack"): after the head of the answer, raw bytes both ways.

A client may end its side and go on reading (half-close). Both directions are bounded: reading stops while the process
is slow, writing waits while the client is.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from contextlib import suppress
from typing import Final, Self

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from zonehost.api import answers
from zonehost.api.connection import Connection
from zonehost.api.hangup import HangupWatch, can_watch

BUFFER: Final = 1 << 20
"""Bytes that may wait in each direction."""
RAW: Final = "tcp"
"""The name of no protocol at all: bytes as they come."""
HEAD_TRIES: Final = 200
"""How many milliseconds what is sent may be held back for a client that has not read the head of the answer."""
LINGER_SECONDS: Final = 10.0
"""How long a client may take to close after the stream has ended."""


class Hijacked(asyncio.Protocol):
    """A connection that is no longer HTTP's. Used as a context: it is closed, in order, at the end."""

    def __init__(self, transport: asyncio.Transport, protocol: str) -> None:
        self._transport = transport
        self._http = transport.get_protocol()
        self._arrived: list[bytes] = []
        self._waiting = 0
        self._ended = False
        self._lost: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = asyncio.Event()
        self._closed = False
        self._held: list[bytes] | None = [] if protocol == RAW else None
        self._timer: asyncio.TimerHandle | None = None
        self._hangup: HangupWatch | None = None

    @classmethod
    def take(cls, request: web.BaseRequest, content_type: str = "", *, protocol: str = RAW) -> Self:
        """Take the connection of a request and answer it: 101 if the client asks for an upgrade, else 200, as Docker.

        `protocol` is what will be spoken from now on.

        Raises:
            ConnectionError: the client has gone.
        """
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        taken = cls(transport, protocol)
        transport.set_protocol(taken)
        transport.set_write_buffer_limits(high=BUFFER)
        if request.headers.get("Upgrade"):
            kind = {"Content-Type": content_type} if content_type else {}
            headers = {**kind, "Connection": "Upgrade", "Upgrade": protocol}
            transport.write(answers.head("101 UPGRADED", headers))
        else:
            transport.write(answers.head("200 OK", {"Content-Type": answers.RAW}))
        transport.resume_reading()
        if isinstance(taken._http, Connection) and taken._http.half_closed:
            taken._http.forget()
            taken.eof_received()
        return taken

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                await self._linger()
        finally:
            self._release()

    async def receive(self) -> bytes:
        """What the client has sent, waiting for it; empty when it has ended its side, or gone."""
        if not self._arrived and not self._ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = self._arrived[0] if len(self._arrived) == 1 else b"".join(self._arrived)
        self._arrived.clear()
        if self._waiting >= BUFFER and not self._ended:
            self._transport.resume_reading()
        self._waiting = 0
        return data

    async def send(self, data: bytes) -> None:
        """Send, waiting while the client is slow. Raises ConnectionError when it has gone."""
        if self._gone.is_set() or self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        if self._held is None:
            self._transport.write(data)
        else:
            self._held.append(data)
            if self._timer is None:
                self._let_go(HEAD_TRIES)
        if not self._writable.is_set():
            await self._writable.wait()

    async def gone(self) -> None:
        """Return when the client is gone, for both directions."""
        await self._gone.wait()

    def _let_go(self, tries: int) -> None:
        """Send what was held back, once the client has read the head, or after so many milliseconds.

        Some clients of raw streams (docker-py) lose what they read together with the head, and a process here may be
        that quick.
        """
        sock = self._transport.get_extra_info("socket")
        if tries and sock.family == socket.AF_UNIX and not self._gone.is_set() and _unread(sock):
            self._writable.clear()
            self._timer = asyncio.get_running_loop().call_later(0.001, self._let_go, tries - 1)
            return
        held, self._held = self._held or [], None
        self._writable.set()
        if not self._transport.is_closing():
            self._transport.write(b"".join(held))

    async def _linger(self) -> None:
        """End our side and wait a moment for the client to end its own.

        What the client still sends is read and dropped: closing a socket with unread bytes in it would reset the
        connection, and the client could lose the end of the output (tcp(7), unix(7)).
        """
        if self._gone.is_set() or self._transport.is_closing() or not self._transport.can_write_eof():
            return
        self._transport.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while await self.receive():
                    pass

    def _release(self) -> None:
        """Close, and give the connection back to HTTP, which forgets it. What is written is still sent."""
        if self._hangup is not None:
            self._hangup.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._held:
            self._let_go(0)
        self._transport.set_protocol(self._http)
        self._transport.close()
        if self._closed:
            self._http.connection_lost(self._lost)

    def data_received(self, data: bytes) -> None:
        self._arrived.append(data)
        self._waiting += len(data)
        if self._waiting >= BUFFER:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._ended = True
        self._wake()
        sock = self._transport.get_extra_info("socket")
        if can_watch(sock):
            self._hangup = HangupWatch(sock, self._gone.set)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = self._ended = True
        self._lost = exc
        self._gone.set()
        self._writable.set()
        self._wake()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


def _unread(sock: socket.socket) -> int:
    """Bytes that the other end of a unix socket has not read yet, with what the kernel adds to them (SIOCOUTQ)."""
    filled: bytes = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("=i", filled)[0])


class Done(web.StreamResponse):
    """What a handler returns when the answer has been sent on a connection that it took."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None
