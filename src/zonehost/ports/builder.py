"""Builds, as the API asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from zonehost.domain.host_config import HostConfig
from zonehost.errors import InvalidParameter
from zonehost.ports.provenance import Finding
from zonehost.ports.registry import Login

Tell = Callable[[dict[str, Any]], None]
"""Takes one message of Docker's progress stream."""


class CommandFailed(InvalidParameter):
    """A RUN ended with a code that is not 0."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What a client asks for.

    `host_config` holds what RUN steps get: limits, ulimits, shm size, extra hosts; `network` is Docker's network mode.
    """

    dockerfile: str = "Dockerfile"
    tags: tuple[str, ...] = ()
    target: str = ""
    platform: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    no_cache: bool = False
    pull: bool = False
    quiet: bool = False
    network: str = "default"
    host_config: HostConfig = field(default_factory=HostConfig)
    cache_from: tuple[str, ...] = ()
    remote: str = ""
    logins: dict[str, Login] = field(default_factory=dict)
    """By registry host, as in the client's configuration file."""


class Builder(Protocol):
    """Makes images from Dockerfiles."""

    async def settle(self) -> None:
        """Take away what builds of an earlier daemon left: nobody waits for them any more."""

    async def prepare(self, request: BuildRequest, context: AsyncIterable[bytes]) -> PreparedBuild:
        """Take the context in and read the Dockerfile.

        Raises:
            InvalidParameter: the context or the Dockerfile cannot be; nothing is left.
        """

    async def stale(self, images: Sequence[str], fresh: str) -> list[Finding]:
        """What is out of date in images: bases that moved, URLs that changed, newer packages, steps past their age.

        `fresh` bounds the age of steps (24h, 7d, forever); empty takes the bound of each image's own build.

        Raises:
            NotFound: an image is not here. InvalidParameter: `fresh` is no bound.
        """


class PreparedBuild(Protocol):
    """A build that can begin."""

    async def run(self, tell: Tell, drain: Callable[[], Awaitable[None]]) -> str:
        """Build it; the image's id. `drain` returns when the client has taken what was told.

        Whatever happens, nothing of the build but its result and its cache is left.

        Raises:
            CommandFailed: a RUN failed. InvalidParameter: another step cannot be done.
        """
