"""Output of a process, taken in as it comes and held until someone reads it, up to a bound.

The bound is Docker's: past a mebibyte that a client has not read, the writer waits. Reading ahead so far keeps one
slow moment of a client from holding up the zone, its log or its other clients.
"""

from __future__ import annotations

import asyncio
import os
import socket
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Final

from zonehost.linux import ancillary
from zonehost.ports.streams import Stream

Chunk = tuple[Stream, bytes]

BOUND: Final = 1 << 20
AT_ONCE: Final = 32
"""Reads in one turn of the loop, so that a busy stream leaves turns to others."""


class Source(ABC):
    """A descriptor that does not block, and how one chunk is read from it."""

    fd: int

    @abstractmethod
    def take(self) -> Chunk | None:
        """The next chunk, or None at the end.

        Raises:
            BlockingIOError: there is nothing now.
        """

    @abstractmethod
    def close(self) -> None:
        """Called once, at the end."""


class Pipe(Source):
    """A pipe, or the master side of a terminal, whose end is EIO (pty(7)). Owns the descriptor."""

    def __init__(self, fd: int, stream: Stream) -> None:
        self.fd = fd
        self._stream = stream
        os.set_blocking(fd, False)

    def take(self) -> Chunk | None:
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            raise
        except OSError:
            return None
        return (self._stream, data) if data else None

    def close(self) -> None:
        os.close(self.fd)


class Intake:
    """Takes in from sources until each has ended."""

    def __init__(self, *sources: Source) -> None:
        self._loop = asyncio.get_running_loop()
        self._open = {source.fd: source for source in sources}
        self._chunks: list[Chunk] = []
        self._held = 0
        self._paused = False
        self._dropping = False
        self._some = asyncio.Event()
        self._watch()

    async def read(self) -> list[Chunk]:
        """All chunks that are held, waiting for the first; an empty list at the end of all sources."""
        while not self._chunks and self._open:
            self._some.clear()
            await self._some.wait()
        chunks, self._chunks = self._chunks, []
        self._go_on()
        return chunks

    def drop(self) -> None:
        """From now on take in only to throw away, so that the writer never waits. Idempotent."""
        self._dropping = True
        self._chunks.clear()
        self._go_on()

    def close(self) -> None:
        """End all sources. Idempotent."""
        for source in list(self._open.values()):
            self._end(source)
        self._some.set()

    def _go_on(self) -> None:
        self._held = 0
        if self._paused:
            self._paused = False
            self._watch()

    def _watch(self) -> None:
        for source in self._open.values():
            self._loop.add_reader(source.fd, self._take, source)

    def _take(self, source: Source) -> None:
        for _ in range(AT_ONCE):
            try:
                chunk = source.take()
            except BlockingIOError:
                break
            if chunk is None:
                self._end(source)
                break
            if not self._dropping:
                self._chunks.append(chunk)
                self._held += len(chunk[1])
        if self._held > BOUND and not self._paused:
            self._paused = True
            for fd in self._open:
                self._loop.remove_reader(fd)
        self._some.set()

    def _end(self, source: Source) -> None:
        self._loop.remove_reader(source.fd)
        del self._open[source.fd]
        source.close()


async def readable(fd: int) -> None:
    """Wait until there is something to read, or the end."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


def next_packet(connection: socket.socket, size: int, fds: int = 0) -> tuple[bytes, list[int]]:
    """A packet of a SOCK_SEQPACKET connection and its descriptors; empty at the end.

    The kernel tells once that the other side went away with packets unread (ECONNRESET), and only then hands over the
    packets which that side had sent before.

    Raises:
        BlockingIOError: there is none now.
    """
    for _ in range(2):
        with suppress(ConnectionResetError):
            return ancillary.receive(connection, size, fds)
    return b"", []


async def writable(fd: int) -> None:
    """Wait until the descriptor takes more, or will never again."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(fd)
