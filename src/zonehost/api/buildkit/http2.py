"""HTTP/2 on a connection that was taken over from HTTP/1.1: streams of bytes, with their flow control. h2 speaks it.

Owns who waits for whom; knows nothing of gRPC. Either side may be the client: on BuildKit's sessions we are.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

STREAM_WINDOW: Final = 2 << 20
"""Bytes that a stream may hold that nobody has read."""
CONNECTION_WINDOW: Final = 32 << 20
FRAME: Final = 1 << 18
STREAMS: Final = 1000
_SLICE: Final = 1 << 13
"""So many bytes of small frames take about a millisecond to read; then others have their turn."""

_log = logging.getLogger(__name__)

Headers = Sequence[tuple[str, str]]


class Wire(Protocol):
    """A connection in bytes."""

    async def receive(self) -> bytes:
        """What has come; empty when the other side has ended or gone."""

    async def send(self, data: bytes) -> None:
        """Send, waiting while the other side is slow. Raises ConnectionError when it has gone."""


class StreamLost(ConnectionError):
    """A stream that was reset, or whose connection is gone."""


class Stream:
    """One stream. It is read by one task and written by one."""

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self.number = number
        self.headers: dict[str, str] = {}
        self.trailers: dict[str, str] = {}
        self.lost = False
        self._arrived: deque[tuple[bytes, int]] = deque()
        self._ended = False
        self._news = asyncio.Event()
        self.window = asyncio.Event()

    async def begun(self) -> dict[str, str]:
        """The headers that the other side began with. Raises StreamLost."""
        while not self.headers:
            await self._wait()
        return self.headers

    async def receive(self) -> bytes:
        """The next bytes; empty at the end. Raises StreamLost."""
        while not self._arrived:
            if self._ended:
                return b""
            await self._wait()
        data, held = self._arrived.popleft()
        await self._connection.consumed(self.number, held)
        return data

    async def send_headers(self, headers: Headers, *, end: bool = False) -> None:
        """Send headers, or trailers where data was sent before. Raises StreamLost."""
        await self._connection.send_headers(self, headers, end)

    async def send(self, data: bytes, *, end: bool = False) -> None:
        """Send, waiting for the other side to read. Raises StreamLost."""
        await self._connection.send_data(self, data, end)

    async def reset(self) -> None:
        """Give the stream up."""
        await self._connection.reset(self)

    def take(self, headers: Headers) -> None:
        """Headers have come, or trailers."""
        found = {name: ",".join(value for other, value in headers if other == name) for name, _ in headers}
        if self.headers:
            self.trailers = found
        else:
            self.headers = found
        self._news.set()

    def feed(self, data: bytes, held: int) -> None:
        """Data has come."""
        self._arrived.append((data, held))
        self._news.set()

    def end(self, *, lost: bool = False) -> None:
        """Nothing more will come. A reset after the end takes nothing away: servers so end calls whose client might go
        on sending (RFC 9113, section 8.1)."""
        self.lost = self.lost or (lost and not self._ended)
        self._ended = True
        self._news.set()
        self.window.set()

    async def _wait(self) -> None:
        if self.lost:
            raise StreamLost("the stream was given up by the other side")
        if self._ended:
            raise StreamLost("the stream ended before it began")
        self._news.clear()
        await self._news.wait()
        if self.lost:
            raise StreamLost("the stream was given up by the other side")


class Connection:
    """A connection; `serve` is run for each stream that the other side opens, and cancelled when that is given up."""

    def __init__(self, wire: Wire, serve: Callable[[Stream], Coroutine[Any, Any, None]] | None = None) -> None:
        self._wire = wire
        self._serve = serve
        client = serve is None
        self._h2 = H2Connection(H2Configuration(client_side=client, header_encoding="utf-8"))
        self._streams: dict[int, Stream] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._closed = False
        self._h2.initiate_connection()
        self._h2.update_settings(
            {
                SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                SettingCodes.MAX_FRAME_SIZE: FRAME,
                SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS,
            }
        )
        self._h2.increment_flow_control_window(CONNECTION_WINDOW)

    async def run(self) -> None:
        """Speak until either side ends. All streams are lost then."""
        try:
            await self._flush()
            while data := await self._wire.receive():
                for start in range(0, len(data), _SLICE):
                    self._read(data[start : start + _SLICE])
                    await self._flush()
                    await asyncio.sleep(0)
        except ProtocolError:
            with suppress(ConnectionError):
                await self._flush()
        except ConnectionError:
            return
        finally:
            await self._close()

    async def open(self, headers: Headers) -> Stream:
        """Open a stream. Raises StreamLost."""
        if self._closed:
            raise StreamLost("the connection is gone")
        stream = Stream(self, self._h2.get_next_available_stream_id())
        self._streams[stream.number] = stream
        await self.send_headers(stream, headers, False)
        return stream

    async def consumed(self, number: int, held: int) -> None:
        """Bytes of a stream were read: the other side may send as many again."""
        if held and not self._closed:
            with suppress(ProtocolError):
                self._h2.acknowledge_received_data(held, number)
            await self._flush()

    async def send_headers(self, stream: Stream, headers: Headers, end: bool) -> None:
        """See `Stream.send_headers`."""
        self._check(stream)
        try:
            self._h2.send_headers(stream.number, list(headers), end_stream=end)
        except ProtocolError as error:
            raise StreamLost(str(error)) from error
        await self._flush()

    async def send_data(self, stream: Stream, data: bytes, end: bool) -> None:
        """See `Stream.send`."""
        view = memoryview(data)
        while view or end:
            self._check(stream)
            try:
                room = min(self._h2.local_flow_control_window(stream.number), self._h2.max_outbound_frame_size)
                if view and room <= 0:
                    stream.window.clear()
                    await stream.window.wait()
                    continue
                part, view = view[:room], view[room:]
                self._h2.send_data(stream.number, bytes(part), end_stream=end and not view)
            except ProtocolError as error:
                raise StreamLost(str(error)) from error
            await self._flush()
            if not view:
                return

    async def reset(self, stream: Stream) -> None:
        """See `Stream.reset`."""
        if not self._closed and self._streams.pop(stream.number, None) is not None:
            with suppress(ProtocolError, ConnectionError):
                self._h2.reset_stream(stream.number, ErrorCodes.CANCEL)
                await self._flush()

    def _check(self, stream: Stream) -> None:
        if self._closed or stream.lost:
            raise StreamLost("the stream is gone")

    async def _flush(self) -> None:
        if data := self._h2.data_to_send():
            await self._wire.send(data)

    def _read(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            match event:
                case events.RequestReceived():
                    self._begin(event)
                case events.ResponseReceived() | events.TrailersReceived():
                    self._stream(event.stream_id).take(_texts(event.headers))
                case events.DataReceived():
                    self._stream(event.stream_id).feed(event.data, event.flow_controlled_length)
                case events.StreamEnded():
                    self._stream(event.stream_id).end()
                case events.StreamReset():
                    self._lose(event.stream_id)
                case events.WindowUpdated() | events.RemoteSettingsChanged():
                    for stream in self._streams.values():
                        stream.window.set()
                case events.ConnectionTerminated():
                    raise ConnectionAbortedError("the other side gave the connection up")

    def _begin(self, event: events.RequestReceived) -> None:
        stream = self._streams[event.stream_id] = Stream(self, event.stream_id)
        stream.take(_texts(event.headers))
        task = self._tasks[event.stream_id] = asyncio.create_task(self._attend(stream))
        task.add_done_callback(lambda _: self._forget(stream, task))

    async def _attend(self, stream: Stream) -> None:
        assert self._serve is not None
        answered = False
        try:
            await self._serve(stream)
            answered = True
        finally:
            if not answered:
                await self.reset(stream)

    def _stream(self, number: int) -> Stream:
        """The stream; one that was given up here is heard, and forgotten."""
        return self._streams.get(number) or Stream(self, number)

    def _forget(self, stream: Stream, task: asyncio.Task[None]) -> None:
        self._streams.pop(stream.number, None)
        self._tasks.pop(stream.number, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a call of BuildKit's protocol failed: %s", stream.headers.get(":path"), exc_info=error)

    def _lose(self, number: int) -> None:
        self._stream(number).end(lost=True)
        self._streams.pop(number, None)
        if number in self._tasks:
            self._tasks[number].cancel()

    async def _close(self) -> None:
        self._closed = True
        for stream in self._streams.values():
            stream.end(lost=True)
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _texts(headers: Any) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in headers]
