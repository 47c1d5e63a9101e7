"""What comes through a pipe, sent as chunks, for readers of every kind."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from zonehost.linux.chunked import ChunkedBody, reading
from zonehost.linux.pouring import pour

Pipe = tuple[int, int]
Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    read, write = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(read, False)
    yield read, write
    for fd in (read, write):
        with suppress(OSError):
            os.close(fd)


@pytest.fixture
def connection() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def _written(pipe: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(pipe, left) :]
    os.close(pipe)


def test_what_comes_through_a_pipe_is_a_body_for_who_reads_the_connection(pipe: Pipe, connection: Ends) -> None:
    content = os.urandom(3 << 20)
    read, write = pipe
    ours, theirs = connection

    async def sent() -> None:
        await pour(read, ours.fileno())
        ours.setblocking(True)
        ours.sendall(b"0\r\n\r\n")

    with ThreadPoolExecutor() as threads:
        threads.submit(_written, write, content)
        found = threads.submit(lambda: b"".join(ChunkedBody(b"", reading(theirs.fileno()))))
        asyncio.run(sent())
        assert found.result() == content


def test_an_empty_pipe_sends_nothing(pipe: Pipe, connection: Ends) -> None:
    read, write = pipe
    ours, theirs = connection
    os.close(write)
    asyncio.run(pour(read, ours.fileno()))
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(1)


def test_a_reader_that_has_gone_is_told(pipe: Pipe, connection: Ends) -> None:
    read, write = pipe
    ours, theirs = connection
    theirs.close()
    os.write(write, b"nobody wants it")
    with pytest.raises(ConnectionError):
        asyncio.run(pour(read, ours.fileno()))


def test_others_have_their_turn_while_a_reader_takes_all_at_once(pipe: Pipe, connection: Ends) -> None:
    read, write = pipe
    ours, theirs = connection
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def sent() -> None:
        counting = asyncio.create_task(count())
        await pour(read, ours.fileno())
        counting.cancel()

    with ThreadPoolExecutor() as threads:
        threads.submit(_written, write, bytes(4 << 20))

        def drained() -> None:
            while theirs.recv(1 << 20):
                pass

        draining = threads.submit(drained)
        asyncio.run(sent())
        ours.shutdown(socket.SHUT_RDWR)
        draining.result()
    assert turns >= 4


def test_it_may_be_given_up(pipe: Pipe, connection: Ends) -> None:
    read, _ = pipe
    ours, _ = connection

    async def given_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pour(read, ours.fileno()), 0.01)

    asyncio.run(given_up())
    ours.send(b"still open")
