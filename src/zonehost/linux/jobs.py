"""Jobs of a fork server that answer with a value or an error, and take in or give out a stream of bytes.

This is the daemon's side; `linux.answering` is the job's. Bytes and the answer (JSON) go through pipes. A job whose
caller goes away is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from typing import Any, Final

import msgspec

from zonehost import errors
from zonehost.linux.answering import CHUNK, Answer
from zonehost.linux.arriving import Arriving
from zonehost.linux.forkserver import Child, ForkServer
from zonehost.linux.leaving import Leaving

_PIPE_SIZE: Final = 1 << 20


async def run(
    server: ForkServer,
    target: str,
    arguments: Any,
    fds: Sequence[int] = (),
    *,
    archive: AsyncIterable[bytes] | None = None,
) -> Any:
    """Run a job to its end: what it returned. It gets `fds`, or what `answering.incoming` reads `archive` from.

    Raises:
        ZonehostError: the job raised it. SystemFailure: the job crashed.
        Exception: what `archive` raised; the job is killed.
    """
    arriving = archive if isinstance(archive, Arriving) else None
    with _Pipe() as answer, _Pipe() as source, contextlib.ExitStack() as stack:
        if archive is not None:
            fds = (source.read,)
        if arriving is not None and (taken := arriving.take()) is not None:
            stack.callback(os.close, taken.connection)
            fds = (source.read, taken.connection)
            archive = _one(taken.beginning)
        child = await server.fork(target, arguments, (answer.write, *fds))
        stack.close()
        answer.close_write()
        source.close_read()
        os.set_blocking(answer.read, False)
        async with _supervised(child):
            feeding = asyncio.create_task(_feed(source, archive, child)) if archive is not None else None
            try:
                told = await _everything(answer.read)
                if feeding is not None and feeding.done():
                    feeding.result()
            finally:
                if feeding is not None:
                    await _cancelled(feeding)
            value = await _value(told, child)
            if arriving is not None:
                arriving.finish()
            return value


def stream(server: ForkServer, target: str, arguments: Any, fds: Sequence[int] = ()) -> Leaving:
    """What a job writes to its first descriptor; `fds` follow that. What the job returns is dropped.

    Raises, when it is iterated over:
        ZonehostError: the job raised it. SystemFailure: the job crashed.
    """
    return _Stream(server, target, arguments, fds)


class _Stream(Leaving):
    def __init__(self, server: ForkServer, target: str, arguments: Any, fds: Sequence[int]) -> None:
        self._chunks = self._run(server, target, arguments, fds)
        self._out: _Pipe | None = None

    async def asend(self, value: None) -> bytes:
        return await self._chunks.asend(value)

    async def athrow(self, *error: Any) -> bytes:
        return await self._chunks.athrow(*error)

    async def aclose(self) -> None:
        await self._chunks.aclose()

    def take(self) -> int | None:
        return None if self._out is None else os.dup(self._out.read)

    async def _run(
        self, server: ForkServer, target: str, arguments: Any, fds: Sequence[int]
    ) -> AsyncGenerator[bytes, None]:
        with _Pipe() as answer, _Pipe() as out:
            child = await server.fork(target, arguments, (answer.write, out.write, *fds))
            answer.close_write()
            out.close_write()
            os.set_blocking(answer.read, False)
            os.set_blocking(out.read, False)
            async with _supervised(child):
                answered = asyncio.create_task(_everything(answer.read))
                self._out = out
                try:
                    while chunk := await _read(out.read):
                        yield chunk
                    told = await answered
                finally:
                    self._out = None
                    await _cancelled(answered)
                await _value(told, child)


async def chunks_of(fd: int) -> AsyncGenerator[bytes]:
    """What comes through a descriptor that does not block, up to its end."""
    while chunk := await _read(fd):
        yield chunk


class _Pipe:
    """A pipe whose ends are closed when it is left, if they were not before."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe2(os.O_CLOEXEC)
        fcntl.fcntl(self.write, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)

    def close_read(self) -> None:
        if self.read >= 0:
            os.close(self.read)
            self.read = -1

    def close_write(self) -> None:
        if self.write >= 0:
            os.close(self.write)
            self.write = -1

    def __enter__(self) -> _Pipe:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_read()
        self.close_write()


@contextlib.asynccontextmanager
async def _supervised(child: Child) -> AsyncIterator[None]:
    try:
        yield
    finally:
        child.kill()
        await asyncio.shield(child.exited)  # a waiter that gives up cancels what it waits for


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _one(chunk: bytes) -> AsyncIterator[bytes]:
    yield chunk


async def _feed(source: _Pipe, archive: AsyncIterable[bytes], child: Child) -> None:
    """Send the archive, and close it. If it breaks off the job is killed, since an end would look whole."""
    os.set_blocking(source.write, False)
    try:
        async for chunk in archive:
            left = memoryview(chunk)
            while left:
                try:
                    left = left[os.write(source.write, left) :]
                except BlockingIOError:
                    await ready(source.write, asyncio.get_running_loop().add_writer)
    except BrokenPipeError:
        return  # the job wants no more: its answer says why
    except BaseException:
        child.kill()
        raise
    finally:
        source.close_write()
        if isinstance(archive, AsyncGenerator):
            await archive.aclose()


async def _read(fd: int) -> bytes:
    while True:
        try:
            return os.read(fd, CHUNK)
        except BlockingIOError:
            await ready(fd, asyncio.get_running_loop().add_reader)


async def _everything(fd: int) -> bytes:
    text = bytearray()
    while chunk := await _read(fd):
        text += chunk
    return bytes(text)


async def ready(fd: int, watch: Callable[..., Any]) -> None:
    """Return when the descriptor can be read or written; `watch` is the loop's add_reader or add_writer."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not ready.done():
            ready.set_result(None)

    watch(fd, settle)
    try:
        await ready
    finally:
        loop.remove_reader(fd)
        loop.remove_writer(fd)


async def _value(told: bytes, child: Child) -> Any:
    status = await asyncio.shield(child.exited)
    if not told:
        raise errors.SystemFailure(f"a job of the launcher ended with status {status}")
    answer = msgspec.json.decode(told, type=Answer)
    if answer.error:
        raise getattr(errors, answer.error)(answer.message)
    return answer.value
