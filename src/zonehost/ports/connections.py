"""Which addresses zones speak to, as the kernel that forwards their packets sees it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class ConnectionLog(Protocol):
    """Connections made since the log was begun."""

    def from_source(self, address: str) -> tuple[str, ...]:
        """What an address spoke to, `address:port`, in order, each once; names' look-ups are left out."""


class Connections(Protocol):
    """Watches new connections of the host's network namespace."""

    def several(self) -> AbstractContextManager[None]:
        """While it lasts, several logs will be wanted one after the other: they share what is dear to make."""

    def watch(self) -> AbstractContextManager[ConnectionLog]:
        """A log of all connections from now on; empty where the kernel does not tell."""
