"""A client that speaks WebSocket (RFC 6455): what browsers attach with."""

from __future__ import annotations

import asyncio
from typing import Self

from aiohttp import WSMsgType, web

from zonehost.api import answers
from zonehost.api.call import Call


class WebSocket:
    """A client at the other end of a WebSocket. Output is binary; text before API 1.28."""

    def __init__(self, response: web.WebSocketResponse, *, text: bool) -> None:
        self.response = response
        self._text = text
        self._over = asyncio.Event()

    @classmethod
    async def open(cls, call: Call) -> Self:
        """Answer the handshake of a call. aiohttp refuses one that is none (400)."""
        response = web.WebSocketResponse(max_msg_size=0)
        response.headers.update(answers.BASE)
        await response.prepare(call.request)
        return cls(response, text=call.version < (1, 28))

    async def receive(self) -> bytes:
        while True:
            message = await self.response.receive()
            match message.type:
                case WSMsgType.BINARY if message.data:
                    return bytes(message.data)
                case WSMsgType.TEXT if message.data:
                    return str(message.data).encode()
                case WSMsgType.CLOSE | WSMsgType.CLOSING | WSMsgType.CLOSED | WSMsgType.ERROR:
                    self._over.set()
                    return b""

    async def gone(self) -> None:
        await self._over.wait()

    async def send(self, data: bytes) -> None:
        if self._text:
            await self.response.send_str(data.decode(errors="replace"))
        else:
            await self.response.send_bytes(data)
