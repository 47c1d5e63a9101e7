"""Jobs that answer, fail, take in and give out streams; and that end with whoever wanted them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator

import pytest

from zonehost.errors import Conflict, InvalidParameter, SystemFailure
from zonehost.linux import jobs
from zonehost.linux.arriving import Arriving, Taken
from zonehost.linux.forkserver import ForkServer


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


async def test_a_value_comes_back_however_large(server: ForkServer) -> None:
    assert await jobs.run(server, "stream_jobs:double", "ab" * 500_000) == "ab" * 1_000_000


async def test_errors_come_back_as_what_they_are(server: ForkServer) -> None:
    with pytest.raises(Conflict, match="no, thank you"):
        await jobs.run(server, "stream_jobs:refuse", None)
    with pytest.raises(SystemFailure, match="/nowhere: No such file or directory"):
        await jobs.run(server, "stream_jobs:fail", None)
    with pytest.raises(SystemFailure, match="status 137"):
        await jobs.run(server, "stream_jobs:crash", None)


async def test_who_gives_up_twice_leaves_the_server_in_order(server: ForkServer) -> None:
    """As a daemon's stop does with a request whose client is gone already."""
    troubles: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
    task = asyncio.create_task(jobs.run(server, "stream_jobs:count", None, archive=_endless()))
    await asyncio.sleep(0.2)
    for _ in range(2):
        task.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
    await asyncio.wait([task])
    assert await jobs.run(server, "stream_jobs:double", "ab") == "abab"
    assert troubles == []


async def _endless() -> AsyncIterator[bytes]:
    yield b"x"
    await asyncio.Event().wait()


async def test_an_archive_goes_in(server: ForkServer) -> None:
    data = [bytes(100_000)] * 100
    assert await jobs.run(server, "stream_jobs:count", None, archive=pieces(*data)) == 10_000_000
    assert await jobs.run(server, "stream_jobs:count", None, archive=pieces()) == 0


async def test_a_job_need_not_read_to_the_end(server: ForkServer) -> None:
    assert (
        await jobs.run(server, "stream_jobs:stop_reading", None, archive=pieces(b"hello", *[bytes(1 << 20)] * 9))
        == "hello"
    )


class OnSocket(Arriving):
    """A body on one end of a pair of sockets."""

    def __init__(self, beginning: bytes) -> None:
        self.client, self._server = socket.socketpair()
        self._server.setblocking(False)
        self._beginning = beginning
        self.finished = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("it was to be taken")

    def take(self) -> Taken:
        return Taken(self._server.detach(), self._beginning)

    def finish(self) -> None:
        self.finished = True


async def test_an_archive_is_read_off_its_connection(server: ForkServer) -> None:
    body = OnSocket(b"3\r\na")
    counting = asyncio.create_task(jobs.run(server, "stream_jobs:count", None, archive=body))
    with body.client as client:
        await asyncio.to_thread(client.sendall, b"bc\r\n" + b"186a0\r\n%s\r\n" % bytes(100_000) * 50 + b"0\r\n\r\n")
        assert await counting == 5_000_003
    assert body.finished


async def test_a_connection_that_ends_too_soon_fails_the_job(server: ForkServer) -> None:
    body = OnSocket(b"3\r\na")
    body.client.close()
    with pytest.raises(InvalidParameter, match="the request ended before its body did"):
        await jobs.run(server, "stream_jobs:count", None, archive=body)
    assert not body.finished


async def test_an_archive_is_closed_where_the_job_does_not_read_to_the_end(server: ForkServer) -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(1 << 20)
        finally:
            closed.set()

    archive = endless()
    await jobs.run(server, "stream_jobs:stop_reading", None, archive=archive)
    assert closed.is_set()


async def test_an_archive_that_breaks_off_ends_the_job(server: ForkServer) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await jobs.run(server, "stream_jobs:count", None, archive=broken())


async def test_a_stream_comes_out(server: ForkServer) -> None:
    assert sum([len(chunk) async for chunk in jobs.stream(server, "stream_jobs:produce", 10_000_000)]) == 10_000_000


async def test_a_stream_may_end_in_an_error(server: ForkServer) -> None:
    got = b""
    with pytest.raises(Conflict, match="no more"):
        async for chunk in jobs.stream(server, "stream_jobs:produce_and_refuse", None):
            got += chunk
    assert got == b"some"


async def test_the_pipe_of_a_stream_may_be_emptied_by_others(server: ForkServer) -> None:
    stream = jobs.stream(server, "stream_jobs:produce", 10_000_000)
    assert stream.take() is None
    size = len(await anext(stream))
    taken = stream.take()
    assert taken is not None
    with os.fdopen(taken, "rb") as pipe:
        size += sum([len(chunk) async for chunk in jobs.chunks_of(pipe.fileno())])
    assert size == 10_000_000
    assert [chunk async for chunk in stream] == []
    assert stream.take() is None


async def test_how_a_stream_ended_is_told_to_who_emptied_its_pipe(server: ForkServer) -> None:
    stream = jobs.stream(server, "stream_jobs:produce_and_refuse", None)
    assert await anext(stream) == b"some"
    taken = stream.take()
    assert taken is not None
    with os.fdopen(taken, "rb") as pipe:
        assert [chunk async for chunk in jobs.chunks_of(pipe.fileno())] == []
    with pytest.raises(Conflict, match="no more"):
        await anext(stream)


async def test_a_stream_that_nobody_reads_ends_its_job(server: ForkServer) -> None:
    stream = jobs.stream(server, "stream_jobs:produce", 1 << 40)
    assert await anext(stream)
    await asyncio.wait_for(stream.aclose(), 10)
