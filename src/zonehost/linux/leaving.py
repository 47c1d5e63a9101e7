"""A stream of bytes that comes through a pipe, which others may empty, as into a connection (`linux.pouring`)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator


class Leaving(AsyncGenerator[bytes]):
    """Iterate over it; or take the pipe when something has come of it, empty that, and iterate to the end."""

    @abstractmethod
    def take(self) -> int | None:
        """The pipe, which does not block and is the taker's to close; None before the first bytes and after the last.

        What comes through it is not iterated over any more. How the stream ended is told there all the same.
        """
