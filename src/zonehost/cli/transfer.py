"""Moving a stream between a daemon, a pipe and another daemon, in large pieces."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from zonehost.cli.endpoint import Endpoint
from zonehost.cli.transfer_progress import Progress
from zonehost.domain.frames import CUT, Kind, frame
from zonehost.errors import InvalidParameter, SystemFailure

_PIECE: Final = 1 << 20
_DONE: Final = frame(Kind.DONE)

Reader = Callable[[memoryview], int]
"""Fills (a part of) a buffer; how much, 0 at the end."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a stream comes from; by the descriptor the kernel can move it without us, where there is one."""

    read: Reader
    descriptor: int | None = None


Writer = Callable[[memoryview], object]


def pump(read: Reader, write: Writer, progress: Progress) -> bool:
    """Move all there is; whether it was a whole stream."""
    buffer = memoryview(bytearray(_PIECE))
    tail = b""
    while size := read(buffer):
        data = buffer[:size]
        write(data)
        progress.add(data)
        tail = (tail + bytes(data[-len(_DONE) :]))[-len(_DONE) :]
    progress.end()
    return tail == _DONE


@contextmanager
def outgoing(endpoint: Endpoint, query: dict[str, Any]) -> Iterator[Source]:
    """What `/send` gives. A stream that is continued comes by HTTP, which can still refuse after a while."""
    path = f"/zonehost/v1/send?{urlencode(query)}"
    if query.get("resume"):
        yield Source(_reader(endpoint.download(path)))
    else:
        with endpoint.upgraded(path) as channel:
            yield Source(channel.recv_into, _descriptor(channel))


def deliver(endpoint: Endpoint, name: str, source: Source, progress: Progress) -> str:
    """Give a stream to `/receive`; what it became there, as NAME@SNAPSHOT.

    Raises:
        InvalidParameter, SystemFailure: the daemon refused, or the stream was cut; says how to go on.
    """
    with endpoint.upgraded(f"/zonehost/v1/receive?{urlencode({'name': name})}") as channel:
        sink = _descriptor(channel)
        with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):  # it refused: its answer says why
            if source.descriptor is None or sink is None or progress.shown:
                whole = pump(source.read, channel.sendall, progress)
                # TLS cannot end one direction and go on in the other.
                if sink is None and not whole:
                    raise SystemFailure(CUT)
            else:
                _splice(source.descriptor, sink)
            if sink is not None:
                channel.shutdown(socket.SHUT_WR)
        with channel.makefile("rb") as answer:
            line = answer.readline()
    if not line:
        raise SystemFailure("the daemon went away")
    told = json.loads(line)
    if "message" in told:
        client = told["status"] < HTTPStatus.INTERNAL_SERVER_ERROR
        raise InvalidParameter(told["message"]) if client else SystemFailure(told["message"])
    return f"{told['Name']}@{told['Snapshot']}"


def from_input(descriptor: int) -> Source:
    """A pipe or a file."""
    return Source(lambda room: os.readv(descriptor, [room]), descriptor)


def check_whole(whole: bool) -> None:
    """Raises SystemFailure for a stream that was cut."""
    if not whole:
        raise SystemFailure(CUT)


def _reader(chunks: Iterator[bytes]) -> Reader:
    def read(room: memoryview) -> int:
        chunk = next(chunks, b"")
        room[: len(chunk)] = chunk
        return len(chunk)

    return read


def _descriptor(channel: socket.socket) -> int | None:
    return None if isinstance(channel, ssl.SSLSocket) else channel.fileno()


def _splice(source: int, sink: int) -> None:
    """Move all there is from one to the other, in the kernel (splice(2))."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIECE)
        while size := os.splice(source, writer, _PIECE):
            while size:
                size -= os.splice(reader, sink, size)
    finally:
        os.close(reader)
        os.close(writer)
