"""gRPC on a stream of HTTP/2: messages with their lengths, metadata, and the status at the end; for both sides.

Source: grpc, doc/PROTOCOL-HTTP2.md. Messages are never compressed here. Knows no service.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, TypeVar
from urllib.parse import quote, unquote

from zonehost.api.buildkit.http2 import Connection, Stream, StreamLost
from zonehost.api.buildkit.messages import Empty, Status
from zonehost.api.buildkit.protobuf import Message
from zonehost.errors import InvalidParameter, Unavailable, ZonehostError

OK: Final = 0
CANCELLED: Final = 1
UNKNOWN: Final = 2
INVALID_ARGUMENT: Final = 3
NOT_FOUND: Final = 5
UNIMPLEMENTED: Final = 12
UNAVAILABLE: Final = 14

LARGEST: Final = 16 << 20
"""Bytes of the longest message that is read, as BuildKit's own bound."""
_HEAD: Final = 5
_TYPE: Final = "application/grpc"
_PLAIN: Final = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"

M = TypeVar("M", bound=Message)


class Refused(Exception):
    """A call that ended with another status than OK."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class Messages:
    """The messages of one call, in both directions."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._waiting = bytearray()

    async def receive(self, kind: type[M]) -> M | None:
        """The next message; None at the end.

        Raises:
            StreamLost: the other side is gone. InvalidParameter: what it sent is no message.
        """
        if not await self._fill(_HEAD):
            return None
        if self._waiting[0]:
            raise InvalidParameter("a compressed message was sent, which nobody had asked for")
        size = int.from_bytes(self._waiting[1:_HEAD], "big")
        if size > LARGEST:
            raise InvalidParameter(f"a message of {size} bytes was sent: {LARGEST} is the most")
        if not await self._fill(_HEAD + size):
            raise InvalidParameter("a message was cut off")
        message = kind.decode(bytes(self._waiting[_HEAD : _HEAD + size]))
        del self._waiting[: _HEAD + size]
        return message

    async def one(self, kind: type[M]) -> M:
        """The only message. Raises as `receive`, and InvalidParameter if there is none."""
        message = await self.receive(kind)
        if message is None:
            raise InvalidParameter("a call came without its message")
        return message

    async def send(self, *messages: Message) -> None:
        """Send messages. Raises StreamLost."""
        out = bytearray()
        for message in messages:
            data = message.encode()
            out += b"\0" + len(data).to_bytes(4, "big") + data
        await self.stream.send(bytes(out))

    async def _fill(self, size: int) -> bool:
        """Wait until so many bytes are here; False if the stream ends before the first of them."""
        while len(self._waiting) < size:
            data = await self.stream.receive()
            if not data:
                return False
            self._waiting += data
        return True


class ServedCall(Messages):
    """A call that the other side made."""

    @property
    def method(self) -> str:
        """Service and method, as in the path."""
        return self.stream.headers.get(":path", "")

    def metadata(self, name: str) -> str:
        """A value of the call's metadata, empty if there is none."""
        return self.stream.headers.get(name, "")

    async def accept(self) -> None:
        """Begin the answer."""
        await self.stream.send_headers([(":status", "200"), ("content-type", _TYPE)])

    async def finish(self, status: Status) -> None:
        """End the answer."""
        trailers = [("grpc-status", str(status.code)), ("grpc-message", quote(status.message, safe=_PLAIN))]
        if status.details:
            # Details stand in a trailer of binary kind: base 64 (grpc, "Custom-Metadata").
            trailers.append(("grpc-status-details-bin", base64.b64encode(status.encode()).decode().rstrip("=")))
        await self.stream.send_headers(trailers, end=True)


Method = Callable[[ServedCall], Awaitable[None]]


async def serve(stream: Stream, methods: Mapping[str, Method], told: Callable[[ZonehostError], Status]) -> None:
    """Answer one call; `told` makes the status of what a method raises."""
    call = ServedCall(stream)
    try:
        await call.accept()
        method = methods.get(call.method)
        if method is None:
            status = Status(code=UNIMPLEMENTED, message=f"unknown method {call.method}")
        else:
            try:
                await method(call)
                status = Status()
            except Refused as error:
                status = error.status
            except ZonehostError as error:
                status = told(error)
        await call.finish(status)
    except ConnectionError:
        return


class Caller:
    """Makes calls on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def open(self, method: str, metadata: Mapping[str, tuple[str, ...]] | None = None) -> OwnCall:
        """Begin a call. Raises StreamLost."""
        pairs = [(name, value) for name, values in (metadata or {}).items() for value in values]
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("content-type", _TYPE),
            *pairs,
        ]
        return OwnCall(await self._connection.open(headers))

    async def ask(self, method: str, request: Message, kind: type[M]) -> M:
        """Make a call of one message each way.

        Raises:
            Refused: it ended with another status. Unavailable: the other side is gone.
        """
        try:
            call = await self.open(method)
            await call.send(request)
            await call.end()
            answer = await call.receive(kind)
            await call.finished()
        except StreamLost as error:
            raise Unavailable(f"the client is gone: {error}") from error
        return answer if answer is not None else kind()


class OwnCall(Messages):
    """A call that we made."""

    async def end(self) -> None:
        """Nothing more will be sent. A call that the other side has ended is at its end anyway."""
        with suppress(StreamLost):
            await self.stream.send(b"", end=True)

    async def finished(self) -> None:
        """Wait for the call's end. Raises Refused if its status is not OK."""
        while await self.receive(Empty) is not None:
            pass
        found = self.stream.trailers or self.stream.headers
        code = int(found.get("grpc-status", str(UNKNOWN)))
        if code != OK:
            raise Refused(Status(code=code, message=unquote(found.get("grpc-message", ""))))

    async def give_up(self) -> None:
        """Let go of the call."""
        await self.stream.reset()
