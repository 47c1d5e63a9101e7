"""Connections on which a job of the daemon's goes on alone: after the head of the answer, bytes in one direction.

Where a client asks for an upgrade, as for Docker's hijacked streams, the job gets the very connection, and the bytes
pass neither HTTP nor the daemon. Where it does not, a pipe stands between the job and the body.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from zonehost.api import answers
from zonehost.linux.byte_stream import DescriptorStream
from zonehost.linux.jobs import chunks_of

PIPE: Final = 1 << 20
"""Bytes that a pipe holds."""


def wants_connection(request: web.BaseRequest) -> bool:
    """Whether the client can do without HTTP for the stream."""
    return "tcp" in request.headers.get("Upgrade", "")


def take_connection(request: web.BaseRequest, content_type: str) -> DescriptorStream:
    """Answer 101, and stop reading: the connection, as a duplicate. The caller closes it, and returns `hijack.Done`.

    The client must have waited for the answer before it sends.

    Raises:
        ConnectionError: the client has gone.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client has gone")
    transport.pause_reading()
    headers = {"Content-Type": content_type, "Connection": "Upgrade", "Upgrade": "tcp"}
    transport.write(answers.head("101 UPGRADED", headers))
    return DescriptorStream(os.dup(transport.get_extra_info("socket").fileno()))


class Pipe:
    """Both ends of a pipe, each closed when it is no longer needed."""

    def __init__(self) -> None:
        read, write = os.pipe2(os.O_CLOEXEC)
        self.read, self.write = DescriptorStream(read), DescriptorStream(write)
        self.passed = 0
        """Bytes that `fill` has written."""

    async def fill(self, chunks: AsyncIterator[bytes]) -> None:
        """Write what comes, and close the end: also when no more comes because the client has gone."""
        try:
            async for chunk in chunks:
                await self.write.write(chunk)
                self.passed += len(chunk)
        except ConnectionError:
            return  # what is missing at the end tells the reader; or it reads no more, and says why
        finally:
            self.write.close()

    async def drain(self, writing: asyncio.Task[None]) -> AsyncIterator[bytes]:
        """What is written by a task, up to its end. Raises what the task raised."""
        try:
            async for chunk in chunks_of(self.read.descriptor):
                yield chunk
            await writing
        finally:
            self.read.close()
            writing.cancel()
            await asyncio.wait([writing])
