"""A stream of bytes that is still on its connection, where a job may read it by itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Taken:
    """A connection with a chunked body on it (`linux.chunked`), whose first bytes have been read already.

    The descriptor is the taker's to close.
    """

    connection: int
    beginning: bytes


class Arriving(AsyncIterable[bytes]):
    """Iterate over it, or take it."""

    @abstractmethod
    def take(self) -> Taken | None:
        """The connection, which nobody else reads from now on; None if all that can be done is to iterate."""

    @abstractmethod
    def finish(self) -> None:
        """Say that what was taken has been read to its end."""
