"""What a build may ask of the client that wants it, while it goes on."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from zonehost.errors import NotFound
from zonehost.ports.registry import Login


class BuildClient(Protocol):
    """The one who asked for a build. An answer is asked for when it is needed, and kept nowhere."""

    async def login(self, registry: str) -> Login | None:
        """The login for a registry, by its host; None if the client has none."""

    async def secret(self, name: str) -> bytes | None:
        """A secret by its id; None if the client does not give it."""

    async def has_agent(self, name: str) -> bool:
        """Whether the client lends its ssh agent under this id."""

    def agent(self, name: str, path: str) -> AbstractAsyncContextManager[None]:
        """While it lasts, the client's ssh agent listens at this path, a unix socket.

        Raises:
            NotFound: the client lends none.
        """


class NoClient:
    """One who answers nothing."""

    async def login(self, registry: str) -> Login | None:
        """See `BuildClient.login`."""
        return None

    async def secret(self, name: str) -> bytes | None:
        """See `BuildClient.secret`."""
        return None

    async def has_agent(self, name: str) -> bool:
        """See `BuildClient.has_agent`."""
        return False

    def agent(self, name: str, path: str) -> AbstractAsyncContextManager[None]:
        """See `BuildClient.agent`."""
        raise NotFound(f"the client lends no ssh agent {name}")
