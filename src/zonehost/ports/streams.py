"""Live standard streams of a process."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol


class Stream(IntEnum):
    """Which stream a chunk is of, numbered as in Docker's multiplexed framing."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2


class Streams(Protocol):
    """One client's view of a process's streams. With a terminal, all output is STDOUT."""

    async def read(self) -> list[tuple[Stream, bytes]]:
        """The chunks that are there, waiting for the first; an empty list when the streams have ended."""

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of the data to the process's input; silently lost if it has closed its input."""

    async def close_input(self) -> None:
        """End the process's input: it reads end of file. Idempotent."""

    async def close(self) -> None:
        """Let go; the process goes on. Idempotent."""


class ByteStream(Protocol):
    """A pipe or a connection that a job can go on with: nothing is read ahead, nothing written later."""

    @property
    def descriptor(self) -> int:
        """What a job reads from or writes to, while nobody else does; it does not block."""

    async def take(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end."""

    async def write(self, data: bytes) -> None:
        """Return when all of it is written. Raises ConnectionError when nobody reads it any more."""
