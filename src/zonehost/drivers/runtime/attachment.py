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
from zonehost.drivers.runtime.input import Input
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
        """The connection stays its attachment's, which may still write to it."""


class Attachment:
    """The streams of a zone for one client; see `ports.streams.Streams`.

    Input goes to the zone's pipe, or with a terminal by way of conmon; without either it is thrown away.
    """

    def __init__(self, client: socket.socket, pipe: Input | None, *, typed: bool) -> None:
        self._client = client
        self._input = pipe
        self._typed = typed
        self._intake = Intake(_Packets(client))
        self._writing = asyncio.Lock()

    async def read(self) -> list[Chunk]:
        """As `Streams.read`."""
        return await self._intake.read()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """As `Streams.write`."""
        if self._input is not None:
            await self._input.write(data)
        elif self._typed:
            async with self._writing:
                await self._type(memoryview(data).cast("B"))

    async def _type(self, rest: memoryview) -> None:
        while rest and self._typed:
            try:
                rest = rest[self._client.send(rest[:_MOST_IN]) :]
            except BlockingIOError:
                await writable(self._client.fileno())
            except (BrokenPipeError, ConnectionResetError):
                self._typed = False

    async def close_input(self) -> None:
        """As `Streams.close_input`. A terminal has no end of input but the character for it."""
        if self._input is not None:
            await self._input.client_ended()

    async def close(self) -> None:
        """As `Streams.close`."""
        self._typed = False
        self._intake.close()
        self._client.close()
