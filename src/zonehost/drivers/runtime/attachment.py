"""One client at a zone's streams, through conmon's attach socket (conmon's src/conn_sock.c).

A packet from conmon is one byte that names the stream, then data; a packet to it is input. conmon writes to all its
clients in turn, and waits for each.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final

from zonehost.drivers.runtime.folder import ZoneFolder
from zonehost.drivers.runtime.intake import Chunk, Intake, Source, next_packet, writable
from zonehost.errors import Conflict
from zonehost.ports.streams import Stream

_MOST_OUT: Final = 8193
"""conmon's STDIO_BUF_SIZE and the byte before it."""
_MOST_IN: Final = 32768
"""conmon's CONN_SOCK_BUF_SIZE: of a longer packet it would lose the rest."""
_STREAMS: Final = {2: Stream.STDOUT, 3: Stream.STDERR}


def connect(folder: ZoneFolder) -> socket.socket:
    """A connection to the zone's keeper.

    Raises:
        Conflict: the zone is not running.
    """
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


class _Packets(Source):
    def __init__(self, client: socket.socket) -> None:
        self.fd = client.fileno()
        self._client = client

    def take(self) -> Chunk | None:
        try:
            packet = self._client.recv(_MOST_OUT)
        except ConnectionResetError:
            packet, _ = next_packet(self._client, _MOST_OUT)
        return (_STREAMS[packet[0]], packet[1:]) if packet else None

    def close(self) -> None:
        """The connection stays its attachment's: input may still go there."""


class Attachment:
    """The streams of a zone for one client; see `ports.streams.Streams`.

    `parked`: where to leave the connection of a client that goes without ending the input. To conmon the end of any
    connection is the end of the input, if the zone's input is to end with its client (Docker's StdinOnce).
    """

    def __init__(self, client: socket.socket, parked: list[socket.socket] | None) -> None:
        self._client = client
        self._parked = parked
        self._intake = Intake(_Packets(client))
        self._writing = asyncio.Lock()
        self._input_ended = False
        self._closed = False

    async def read(self) -> list[Chunk]:
        """As `Streams.read`."""
        return await self._intake.read()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """As `Streams.write`."""
        async with self._writing:
            rest = memoryview(data).cast("B")
            while rest and not self._input_ended:
                try:
                    rest = rest[self._client.send(rest[:_MOST_IN]) :]
                except BlockingIOError:
                    await writable(self._client.fileno())
                except (BrokenPipeError, ConnectionResetError):
                    self._input_ended = True

    async def close_input(self) -> None:
        """As `Streams.close_input`."""
        async with self._writing:
            if not self._input_ended:
                self._input_ended = True
                self._client.shutdown(socket.SHUT_WR)

    async def close(self) -> None:
        """As `Streams.close`."""
        if self._closed:
            return
        self._closed = True
        self._intake.close()
        if self._parked is None or self._input_ended:
            self._client.close()
        else:
            self._client.shutdown(socket.SHUT_RD)  # conmon's next packet to it fails, so it holds nobody up
            self._parked.append(self._client)
