"""Registries: where images come from and go to.

All bytes that come from a registry are verified (digest, size, media type) before the last of them is handed on: who
consumes a blob's stream to its end without an error has what the manifest promised.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from zonehost.domain.platform import Platform


class Login(msgspec.Struct, frozen=True, rename="lower"):
    """Docker's AuthConfig, as X-Registry-Auth carries it."""

    username: str = ""
    password: str = ""
    auth: str = ""
    email: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


@dataclass(frozen=True, slots=True)
class Repository:
    """Where images are: `host` as in canonical names (docker.io, localhost:5000), `path` below it (library/busybox)."""

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob or a manifest, as the OCI image specification describes one."""

    media_type: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image of one platform in a registry: `digest` is what the reference led to, an index's where it is one."""

    digest: str
    manifest: Descriptor
    config: bytes
    image: str
    """The image's id: the digest of its configuration."""
    layers: tuple[Descriptor, ...]
    """Lowest first, as many as `diff_ids`."""
    diff_ids: tuple[str, ...]
    platform: Platform


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a reference leads to, and the platforms there."""

    descriptor: Descriptor
    platforms: tuple[Platform, ...]


@dataclass(frozen=True, slots=True)
class SentLayer:
    """A layer that the registry now has. `how` is sent, exists or mounted; `origin` the repository mounted from."""

    descriptor: Descriptor
    how: str
    origin: str = ""


class Registry(Protocol):
    """All registries; each call names one by the repository's host.

    Every call raises Unauthorized or Forbidden where credentials are missing or wrong, NotFound where the registry
    says so, Unavailable where it cannot be reached or fails, and InvalidParameter where it answers what cannot be.
    """

    async def fetch(
        self, repository: Repository, reference: str, login: Login | None = None, platform: Platform | None = None
    ) -> RemoteImage:
        """The image of a platform (None: this machine's) behind a tag or a digest.

        Raises:
            NotFound: no such reference, or no image of that platform behind it.
        """

    def blob(self, repository: Repository, blob: Descriptor, login: Login | None = None) -> AsyncIterator[bytes]:
        """The content of a blob, as the registry keeps it (compressed). A cut connection is resumed where it broke."""

    def learn(self, repository: Repository, diff_id: str, blob: Descriptor) -> None:
        """Remember that this repository keeps the layer as this blob, so that a push needs not send it again."""

    async def tags(self, repository: Repository, login: Login | None = None) -> tuple[str, ...]:
        """All tags of a repository."""

    async def inspect(self, repository: Repository, reference: str, login: Login | None = None) -> Distribution:
        """What a tag or a digest leads to."""

    async def send_layer(
        self,
        repository: Repository,
        diff_id: str,
        blob: Callable[[], AsyncIterator[bytes]],
        login: Login | None = None,
    ) -> SentLayer:
        """Have the registry hold a layer: found there, mounted from a sister repository, or sent.

        `blob` opens the layer's archive in gzip; it is called only if the layer must be sent.
        """

    async def send_image(
        self,
        repository: Repository,
        reference: str,
        config: bytes,
        layers: Sequence[Descriptor],
        login: Login | None = None,
    ) -> Descriptor:
        """Put an image's configuration and manifest under a tag; the manifest's descriptor."""

    async def check_login(self, login: Login) -> str:
        """Whether a registry takes these credentials; an identity token, if it gives one instead of the password.

        Raises:
            Unauthorized: it does not.
        """

    async def search(self, host: str, term: str, limit: int, login: Login | None = None) -> tuple[SearchResult, ...]:
        """Repositories that match a term.

        Raises:
            Unsupported: the registry has no search.
        """


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One repository that a search found."""

    name: str
    description: str
    stars: int
    official: bool
    automated: bool
