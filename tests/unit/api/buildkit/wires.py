"""Two ends of a connection in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from zonehost.api.buildkit import faults, grpc
from zonehost.api.buildkit.grpc import Caller, Method
from zonehost.api.buildkit.http2 import Connection


class MemoryWire:
    """One end."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self.other: MemoryWire | None = None

    async def receive(self) -> bytes:
        return await self._arrived.get()

    async def send(self, data: bytes) -> None:
        if self.other is None:
            raise ConnectionResetError("gone")
        self.other._arrived.put_nowait(data)

    def cut(self) -> None:
        """End the connection for both."""
        if self.other is not None:
            self._arrived.put_nowait(b"")
            far, self.other = self.other, None
            far._arrived.put_nowait(b"")
            far.other = None


@asynccontextmanager
async def calling(methods: Mapping[str, Method]) -> AsyncIterator[tuple[Caller, MemoryWire]]:
    """A caller whose calls these methods answer, and its end of the connection."""
    near, far = MemoryWire(), MemoryWire()
    near.other = far
    far.other = near
    client = Connection(near)
    server = Connection(far, lambda stream: grpc.serve(stream, methods, faults.status_of))
    tasks = [asyncio.create_task(client.run()), asyncio.create_task(server.run())]
    try:
        yield Caller(client), near
    finally:
        near.cut()
        await asyncio.gather(*tasks)
