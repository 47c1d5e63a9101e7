"""A descriptor as a stream of bytes for one event loop, without a buffer: what follows may be another process's."""

from __future__ import annotations

import asyncio
import os

from zonehost.linux.jobs import ready


class DescriptorStream:
    """`ports.streams.ByteStream` on a pipe or a socket, which is closed with it."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor

    @property
    def descriptor(self) -> int:
        """The descriptor itself."""
        return self._descriptor

    async def take(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""
        taken = bytearray()
        while len(taken) < size:
            try:
                piece = os.read(self._descriptor, size - len(taken))
            except BlockingIOError:
                await ready(self._descriptor, asyncio.get_running_loop().add_reader)
                continue
            except ConnectionError:
                break
            if not piece:
                break
            taken += piece
        return bytes(taken)

    async def write(self, data: bytes) -> None:
        """Return when all of it is written. Raises ConnectionError when nobody reads it any more."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                await ready(self._descriptor, asyncio.get_running_loop().add_writer)

    def close(self) -> None:
        """Close the descriptor. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
