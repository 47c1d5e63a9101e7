"""Builds, as the API asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from zonehost.domain.host_config import HostConfig
from zonehost.errors import InvalidParameter
from zonehost.ports.build_client import BuildClient, NoClient
from zonehost.ports.build_listener import Listener
from zonehost.ports.provenance import Finding
from zonehost.ports.workshop import Base


class BuildFault(InvalidParameter):
    """A build failed at a line of its Dockerfile, counted from 1; 0 where no line is to blame.

    The message shows the place; `reason` is the same without it.
    """

    def __init__(self, message: str, reason: str, line: int) -> None:
        super().__init__(message)
        self.reason = reason
        self.line = line


class CommandFailed(BuildFault):
    """A RUN ended with a code that is not 0."""

    def __init__(self, message: str, reason: str, line: int, command: str, code: int) -> None:
        super().__init__(message, reason, line)
        self.command = command
        self.code = code


@dataclass(frozen=True, slots=True)
class Definition:
    """A Dockerfile that comes apart from the context, and the text of the ignore file that belongs to it."""

    dockerfile: bytes
    ignore: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What a client asks for.

    `definition` is None where the Dockerfile is in the context, under the name `dockerfile`. `remote` is the address of
    the context, empty where the client sends it. `host_config` holds what
    RUN steps get: limits, ulimits, shm size, extra hosts; `network` is Docker's network mode. `uncached` names stages
    that shall be done anew. `contexts` are further trees, by the names under which FROM and --from know them.
    `valueless` names arguments that were given no value: all that they may be is unused.
    """

    dockerfile: str = "Dockerfile"
    definition: Definition | None = None
    remote: str = ""
    target: str = ""
    platform: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    valueless: frozenset[str] = frozenset()
    labels: dict[str, str] = field(default_factory=dict)
    no_cache: bool = False
    uncached: frozenset[str] = frozenset()
    pull: bool = False
    network: str = "default"
    host_config: HostConfig = field(default_factory=HostConfig)
    cache_from: tuple[str, ...] = ()
    client: BuildClient = field(default_factory=NoClient)
    contexts: Mapping[str, NamedContext] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NamedContext:
    """What a name stands for: an image of another name, what another build made, the archive of a tree, or an address.

    At an address is a git repository, or a file for http.
    """

    image: str = ""
    base: Base | None = None
    archive: AsyncIterable[bytes] | None = None
    remote: str = ""


class Builder(Protocol):
    """Makes images from Dockerfiles."""

    async def settle(self) -> None:
        """Take away what builds of an earlier daemon left: nobody waits for them any more."""

    async def prepare(self, request: BuildRequest, context: AsyncIterable[bytes]) -> PreparedBuild:
        """Take the context in and read the Dockerfile.

        Raises:
            InvalidParameter: the context or the Dockerfile cannot be; nothing is left.
            Unavailable: the context's address does not give it. Unsupported: it is in a git repository, and git is not
            installed.
        """

    async def stale(self, images: Sequence[str], fresh: str) -> list[Finding]:
        """What is out of date in images: bases that moved, URLs that changed, newer packages, steps past their age.

        `fresh` bounds the age of steps (24h, 7d, forever); empty takes the bound of each image's own build.

        Raises:
            NotFound: an image is not here. InvalidParameter: `fresh` is no bound.
        """


class PreparedBuild(Protocol):
    """A build that can begin."""

    def building(self, listener: Listener) -> AbstractAsyncContextManager[Built]:
        """Build it; what is built can be used until the context is left.

        Whatever happens, nothing of the build but what was published, and its cache, is left.

        Raises:
            CommandFailed: a RUN failed. InvalidParameter: another step cannot be done.
        """


class Built(Protocol):
    """What a build made."""

    @property
    def id(self) -> str:
        """The image's id."""

    @property
    def unused(self) -> Sequence[str]:
        """Build arguments that no ARG asked for."""

    async def publish(self, tags: Sequence[str]) -> None:
        """Make the image known under these names."""

    def base(self) -> Base:
        """The same, for another build to stand on while this one can be used."""

    def tree(self) -> AsyncIterator[bytes]:
        """Its files, as an archive sorted by path."""
