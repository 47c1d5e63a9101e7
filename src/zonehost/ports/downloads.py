"""Files from the world outside, by their addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is coming. `size` is in bytes, 0 where the server does not say it.

    The chunks raise Unavailable where the rest does not come.
    """

    size: int
    chunks: AsyncIterator[bytes]


class Downloads(Protocol):
    """Asks servers for files."""

    def get(self, url: str) -> AbstractAsyncContextManager[Download]:
        """Begin to get a file; what has not come at the end of the context is not waited for.

        Raises:
            InvalidParameter: the address cannot be. NotFound, Unauthorized, Forbidden: so says the server.
            Unavailable: the server is not there, or does not give it.
        """
