"""Connections that leave HTTP: both directions, half-close, clients that go away. Real sockets, no daemon."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from zonehost.api.connection import Connection, Server
from zonehost.api.detach import DetachKeys
from zonehost.api.hijack import Done, Hijacked
from zonehost.api.session import join
from zonehost.ports.streams import Stream

UPGRADE = b"POST /x HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


class Cat:
    """A process that answers with what it reads, until its input ends. Reads nothing while it is `asleep`."""

    def __init__(self) -> None:
        self.asleep = asyncio.Event()
        self.asleep.set()
        self.taken = 0
        self.fed = asyncio.Event()
        self.ended = False
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(1)

    async def read(self) -> list[tuple[Stream, bytes]]:
        data = await self._chunks.get()
        return [(Stream.STDOUT, data)] if data else []

    async def write(self, data: bytes) -> None:
        await self.asleep.wait()
        self.taken += len(data)
        await self._chunks.put(data)
        self.fed.set()

    async def close_input(self) -> None:
        self.ended = True
        await self._chunks.put(b"")


class Door:
    """A server that joins whoever comes with one process, and tells how it ended."""

    def __init__(self, process: Cat, *, stdin: bool = True, stays: bool = True, keys: DetachKeys | None = None) -> None:
        self.process = process
        self.pressed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._stdin = stdin
        self._keys = keys
        self._stays = stays

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request.protocol, Connection)
        request.protocol.begin()
        async with Hijacked.take(request, "text/x") as client:
            pressed = await join(
                client, self.process, framed=False, keys=self._keys, stdin=self._stdin, stays=self._stays
            )
            self.pressed.set_result(pressed)
        return Done()


class Client:
    """The other end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self, request: bytes = UPGRADE) -> bytes:
        self.writer.write(request)
        return await self.reader.readuntil(b"\r\n\r\n")


@asynccontextmanager
async def connected(door: Door, folder: Path) -> AsyncIterator[Client]:
    """A client of a server with this door."""
    server = Server(door)
    path = str(folder / "s")
    listener = await asyncio.get_running_loop().create_unix_server(server, path)
    client = Client(*await asyncio.open_unix_connection(path))
    try:
        yield client
    finally:
        client.writer.close()
        listener.close()
        await server.shutdown(1)


@pytest.fixture
async def process() -> Cat:
    return Cat()


@pytest.fixture
async def door(process: Cat) -> Door:
    return Door(process)


@pytest.fixture
async def client(door: Door, tmp_path: Path) -> AsyncIterator[Client]:
    async with connected(door, tmp_path) as client:
        yield client


async def test_who_asks_for_an_upgrade_gets_one(client: Client) -> None:
    head = await client.head()
    assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\nContent-Type: text/x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n")


async def test_who_does_not_ask_gets_200_and_the_same_stream(client: Client) -> None:
    head = await client.head(b"POST /x HTTP/1.1\r\nHost: d\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n")
    client.writer.write(b"hello")
    assert await client.reader.readexactly(5) == b"hello"


@asynccontextmanager
async def behind_an_unread_head(door: Door, folder: Path) -> AsyncIterator[socket.socket]:
    """A client that has said hello to the process, and has read nothing of the answer yet."""
    async with connected(door, folder):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "s"))
            client.sendall(UPGRADE)
            await asyncio.to_thread(client.recv, 1, socket.MSG_PEEK)
            client.sendall(b"hello")
            yield client


async def test_the_head_is_read_alone_however_quick_the_process_is(door: Door, tmp_path: Path) -> None:
    async with behind_an_unread_head(door, tmp_path) as client:
        await door.process.fed.wait()
        assert client.recv(1 << 16).endswith(b"\r\n\r\n")
        assert await asyncio.to_thread(client.recv, 1 << 16) == b"hello"


async def test_who_never_reads_the_head_is_not_waited_for_long(door: Door, tmp_path: Path) -> None:
    async with behind_an_unread_head(door, tmp_path) as client:
        client.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(5):
            assert await door.pressed is False
        assert client.recv(1 << 16).endswith(b"hello")


async def test_output_goes_on_after_the_client_has_ended_its_side(client: Client, door: Door) -> None:
    await client.head()
    data = bytes(range(256)) * 20_000
    client.writer.write(data)
    client.writer.write_eof()
    assert await client.reader.read() == data
    assert await door.pressed is False


async def test_a_slow_process_holds_the_client_back(client: Client, process: Cat) -> None:
    await client.head()
    process.asleep.clear()
    client.writer.transport.set_write_buffer_limits(high=1)
    client.writer.write(b"x" * (16 << 20))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await client.writer.drain()
    process.asleep.set()
    received = 0
    while received < 16 << 20:
        received += len(await client.reader.read(1 << 20))
    assert process.taken == received


async def test_a_client_that_is_gone_ends_the_session(client: Client, door: Door) -> None:
    await client.head()
    client.writer.close()
    async with asyncio.timeout(5):
        assert await door.pressed is False


async def test_a_client_that_had_ended_its_side_and_is_gone_ends_the_session(tmp_path: Path) -> None:
    """Nothing is read or written any more: only the hang-up tells."""
    silent = Door(Cat(), stdin=False)
    async with connected(silent, tmp_path) as client:
        await client.head()
        client.writer.write_eof()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await asyncio.shield(silent.pressed)
        client.writer.close()
        async with asyncio.timeout(5):
            assert await silent.pressed is False


async def test_the_end_of_the_output_reaches_a_client_that_still_sends(tmp_path: Path) -> None:
    """A socket closed with unread bytes in it would be reset."""

    class Deaf(Cat):
        async def read(self) -> list[tuple[Stream, bytes]]:
            said, self.taken = self.taken, 1
            return [] if said else [(Stream.STDOUT, b"bye" * 100_000)]

    def talk() -> bytes:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "s"))
            sock.sendall(UPGRADE)
            received = b""
            while chunk := sock.recv(4096):
                received += chunk
                sock.sendall(b"more" * 1000)
            return received

    async with connected(Door(Deaf(), stdin=False), tmp_path):
        assert (await asyncio.to_thread(talk)).endswith(b"bye" * 100_000)


async def test_the_detach_keys_end_the_session(tmp_path: Path) -> None:
    door = Door(Cat(), keys=DetachKeys(b"\x10\x11"))
    async with connected(door, tmp_path) as client:
        await client.head()
        client.writer.write(b"hi\x10\x11")
        assert await door.pressed is True


async def test_a_client_that_does_not_stay_leaves_with_the_end_of_its_input(tmp_path: Path) -> None:
    process = Cat()
    door = Door(process, stays=False)
    async with connected(door, tmp_path) as client:
        await client.head()
        client.writer.write_eof()
        assert await door.pressed is False
    assert not process.ended
