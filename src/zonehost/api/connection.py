"""HTTP connections: bad, slow and half-sent requests, and connections that leave HTTP.

Owns what happens around a request that never becomes one. aiohttp reads and writes the protocol.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from zonehost.api import answers
from zonehost.api.hangup import HangupWatch, can_watch
from zonehost.api.held import Held, split

HEAD_SECONDS: Final = 30.0
"""How long the head of a request may take from its first byte."""
LINE_BYTES: Final = 1 << 20
"""The longest request line or header, as in Go's server: build arguments travel in queries."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """One client, request after request.

    One that ends its side behind a whole request (as `nc -N` and `docker system dial-stdio` do) still gets the answer,
    if it listens; that can be told of unix sockets only.
    """

    __slots__ = ("_body", "_busy", "_deadline", "_hangup", "_head_seconds", "half_closed", "held")

    def __init__(self, server: web.Server, *, head_seconds: float, **options: Any) -> None:
        super().__init__(server, **options)
        self._head_seconds = head_seconds
        self._busy = False
        self._body: StreamReader = EMPTY_PAYLOAD
        self._deadline: asyncio.TimerHandle | None = None
        self._hangup: HangupWatch | None = None
        self.half_closed = False
        self.held: Held | None = None
        """The body of the request, if it has been left on the connection."""

    def take(self, body: StreamReader) -> None:
        """A request is about to be handled; its body may still be coming."""
        self._body = body

    def begin(self) -> None:
        """The head of a request is complete."""
        self._busy = True
        self._disarm()

    def end(self) -> None:
        """The request is answered; the next may come."""
        self._busy = False
        if self.held is not None:
            self.held.release()
            self.held.abandon()

    def data_received(self, data: bytes) -> None:
        if not self._busy and self._deadline is None:
            self._deadline = self._loop.call_later(self._head_seconds, self._give_up)
            if self._hold(data):
                return
        if self.held is None or not self.held.taken:
            super().data_received(data)

    def _hold(self, data: bytes) -> bool:
        transport = self.transport
        if transport is None or self.ssl_context is not None or (parts := split(data)) is None:
            return False
        head, beginning = parts
        self.held = Held(transport, super().data_received, beginning)
        super().data_received(head)
        return True

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp's returns None, which closes too
        """The client sends no more. Whether the connection stays open: for the answer to what it has sent."""
        idle = self._waiter is not None and not self._waiter.done()
        body = self._messages[-1][1] if self._messages else self._body
        if idle or not body.is_eof() or self.transport is None:
            return False
        sock = self.transport.get_extra_info("socket")
        if not can_watch(sock):
            return False
        self.half_closed = True
        self._hangup = HangupWatch(sock, self.transport.abort)
        self.close()
        return True

    def forget(self) -> None:
        """Somebody else looks after the connection from here on."""
        if self._hangup is not None:
            self._hangup.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._disarm()
        self.forget()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that is no HTTP (400), or whose handler failed in a way that nobody foresaw (500)."""
        if status >= 500:
            _log.error("%s %s failed", request.method, request.path, exc_info=exc)
            message = f"internal error: {type(exc).__name__}: {exc}"
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        reason = (message or HTTPStatus(status).phrase).strip().partition("\n")[0]
        response = answers.message(status, reason)
        response.force_close()
        return response

    def _give_up(self) -> None:
        self._deadline = None
        if self.transport is not None:
            body = msgspec.json.encode({"message": f"the request did not arrive within {self._head_seconds:g} seconds"})
            headers = {"Content-Type": answers.JSON, "Content-Length": str(len(body)), "Connection": "close"}
            self.transport.write(answers.head("408 Request Timeout", headers) + body)
            self.force_close()

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Server(web.Server):
    """Makes connections. A handler is cancelled when its client goes away."""

    def __init__(self, handler: Handler, *, head_seconds: float = HEAD_SECONDS) -> None:
        super().__init__(handler, handler_cancellation=True)
        self._head_seconds = head_seconds

    def _make_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        cast(Connection, protocol).take(payload)
        return super()._make_request(message, payload, protocol, writer, task)

    def __call__(self) -> Connection:
        return Connection(
            self,
            head_seconds=self._head_seconds,
            loop=asyncio.get_running_loop(),
            access_log=None,
            auto_decompress=False,
            max_line_size=LINE_BYTES,
            max_field_size=LINE_BYTES,
            read_bufsize=1 << 20,
            logger=cast(Any, _log),
        )
