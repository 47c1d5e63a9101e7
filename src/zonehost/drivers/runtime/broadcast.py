"""A zone's output to every client, from one connection to its keeper (conmon's src/conn_sock.c).

conmon accepts one connection in a turn of its loop, and reads output in the same turn: of clients that came together,
each with a connection of its own, the later ones would miss some. A packet from conmon is one byte that names the
stream, then data; a packet to it is what is typed at a terminal. conmon waits for each client.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final

from zonehost.drivers.runtime.folder import ZoneFolder
from zonehost.drivers.runtime.intake import AT_ONCE, BOUND, Chunk, next_packet, writable
from zonehost.errors import Conflict
from zonehost.ports.streams import Stream

_MOST_OUT: Final = 8193
"""conmon's STDIO_BUF_SIZE and the byte before it."""
_MOST_IN: Final = 32768
"""conmon's CONN_SOCK_BUF_SIZE: of a longer packet it would lose the rest."""
_STREAMS: Final = {2: Stream.STDOUT, 3: Stream.STDERR}


class Share:
    """One client's share: what it has not read yet."""

    def __init__(self, of: Broadcast) -> None:
        self._of = of
        self._chunks: list[Chunk] = []
        self._some = asyncio.Event()
        self._ended = False
        self.held = 0
        """Bytes."""

    async def read(self) -> list[Chunk]:
        """All chunks that are held, waiting for the first; an empty list at the end."""
        while not self._chunks and not self._ended:
            self._some.clear()
            await self._some.wait()
        chunks, self._chunks, self.held = self._chunks, [], 0
        self._of.go_on()
        return chunks

    def give(self, chunks: list[Chunk], size: int) -> None:
        """Hold more."""
        self._chunks += chunks
        self.held += size
        self._some.set()

    def end(self) -> None:
        """There will be no more."""
        self._ended = True
        self._some.set()


class Broadcast:
    """The output of one zone. Connected while someone listens, and after that until the next output."""

    def __init__(self, folder: ZoneFolder) -> None:
        self._folder = folder
        self._shares: list[Share] = []
        self._connection: socket.socket | None = None
        self._paused = False
        self._typing = asyncio.Lock()

    def join(self) -> Share:
        """A share in all output from now on.

        Raises:
            Conflict: the zone is not running.
        """
        if self._connection is None:
            self._connection = _connect(self._folder)
            asyncio.get_running_loop().add_reader(self._connection, self._take, self._connection)
        share = Share(self)
        self._shares.append(share)
        return share

    def leave(self, share: Share) -> None:
        """Listen no more. Idempotent."""
        if share in self._shares:
            self._shares.remove(share)
            share.end()
            self.go_on()

    def go_on(self) -> None:
        """Read on, if reading waited for a client that has caught up."""
        if self._paused and self._connection is not None and not self._full():
            self._paused = False
            asyncio.get_running_loop().add_reader(self._connection, self._take, self._connection)

    async def type(self, data: bytes | bytearray | memoryview) -> None:
        """Send what was typed; lost if the zone has ended."""
        async with self._typing:
            rest = memoryview(data).cast("B")
            while rest and self._connection is not None:
                try:
                    rest = rest[self._connection.send(rest[:_MOST_IN]) :]
                except BlockingIOError:
                    await writable(self._connection.fileno())
                except (BrokenPipeError, ConnectionResetError):
                    return

    def close(self) -> None:
        """End every share."""
        if self._connection is not None:
            asyncio.get_running_loop().remove_reader(self._connection)
            self._connection.close()
            self._connection = None
        for share in self._shares:
            share.end()
        self._shares.clear()

    def _full(self) -> bool:
        return any(share.held > BOUND for share in self._shares)

    def _take(self, connection: socket.socket) -> None:
        chunks: list[Chunk] = []
        ended = False
        for _ in range(AT_ONCE):
            try:
                packet = next_packet(connection, _MOST_OUT)[0]
            except BlockingIOError:
                break
            if not packet:
                ended = True
                break
            chunks.append((_STREAMS[packet[0]], packet[1:]))
        size = sum(len(data) for _, data in chunks)
        for share in self._shares:
            share.give(chunks, size)
        if ended or not self._shares:
            self.close()
        elif self._full():
            self._paused = True
            asyncio.get_running_loop().remove_reader(connection)


def _connect(folder: ZoneFolder) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        directory = os.open(folder.path, os.O_PATH | os.O_CLOEXEC)
        try:
            # by way of /proc, since the path of a socket has no more than 107 bytes (unix(7))
            client.connect(f"/proc/self/fd/{directory}/attach")
        finally:
            os.close(directory)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        client.close()
        raise Conflict(f"container {folder.zone} is not running") from error
    client.setblocking(False)
    return client
