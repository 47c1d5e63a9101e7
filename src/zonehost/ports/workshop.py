"""What a build needs of the engine: base images, zones to run commands in, a place for the result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from zonehost.domain.blueprint import BindMount
from zonehost.domain.host_config import HostConfig
from zonehost.domain.image_config import ImageConfig
from zonehost.domain.platform import Platform
from zonehost.ports.registry import Login

Tell = Callable[[dict[str, Any]], None]
"""Takes one message of Docker's progress stream."""
Logins = Callable[[str], Awaitable[Login | None]]
"""Finds the login for a registry, by its host."""
Output = Callable[[bytes], Awaitable[None]]
"""Takes what a command writes, and returns when there is room for more."""


@dataclass(frozen=True, slots=True)
class Base:
    """An image to build on. `added` is when it came to this host, in nanoseconds since the epoch.

    `digest` is what its name leads to in its registry, as far as this host knows; empty if it came from none.
    """

    id: str
    config: ImageConfig
    layers: tuple[str, ...]
    added: int
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeMount:
    """Layers (diff ids, lowest first) seen read-only at a destination; `subpath` of them where it is not empty."""

    layers: tuple[str, ...]
    destination: str
    subpath: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """One command to run over layers (diff ids, lowest first). `network` is Docker's network mode."""

    build: str
    layers: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[str, ...]
    user: str
    workdir: str
    network: str
    host_config: HostConfig
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Variables beside `env` that are to be in no record and no log, NAME=value."""
    binds: tuple[BindMount, ...] = ()
    covered: tuple[str, ...] = ()
    """Directories that are there only for the mounts, if the command puts nothing else into them."""
    trees: tuple[TreeMount, ...] = ()
    tmpfs: Mapping[str, str]
    epoch: int | None = None
    keep: bool = True
    """Whether what it writes is made a layer."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended. `layer` is the diff id of what it wrote, empty if it failed; `addresses` it spoke to."""

    code: int
    layer: str
    size: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """An image that is built: its configuration to the byte, its layers, and what it shall be called."""

    config: bytes
    layers: tuple[str, ...]
    tags: tuple[str, ...]
    parent: str


class Workshop(Protocol):
    """The engine, as builds see it."""

    def working(self) -> AbstractAsyncContextManager[None]:
        """While a build is under way: layers that are in no image yet are kept; at its end no zone of it is left."""

    async def base(self, name: str, platform: Platform, *, pull: bool, logins: Logins, tell: Tell) -> Base:
        """The image of this name, pulled if it is not here, or if `pull` and the registry has another.

        Raises:
            NotFound: there is none, also not of that platform.
        """

    def find(self, name: str) -> Base:
        """An image that is here, by name or id.

        Raises:
            NotFound: there is none.
        """

    def images(self) -> frozenset[str]:
        """The ids of all images that are here."""

    async def latest(self, name: str) -> str:
        """The digest that a name leads to in its registry now.

        Raises:
            NotFound, Unauthorized, Unavailable…: as the registry answers.
        """

    async def run(self, order: RunOrder, started: Callable[[str], None], output: Output) -> Ran:
        """Run a command in a zone of its own; the zone is gone when `working` is left, whatever happens.

        `started` gets the container's id, `output` what it writes.
        """

    async def abandon(self) -> None:
        """Remove the zones of builds that an earlier daemon did not finish."""

    async def publish(self, image: Finished) -> str:
        """Make the image known, with its tags; its id."""
