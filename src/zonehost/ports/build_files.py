"""The files of builds: contexts, what is copied from them and from other images, caches that outlive a build.

All that belongs to one build is found by its id and goes with `discard`, which is idempotent.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

LARGEST_DOCKERFILE: Final = 2 << 20
"""Bytes; a Dockerfile or an ignore file that is larger is a mistake."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Files to copy: `trees` (what `Layers.stack` gives) are one tree; None is the build's context.

    `paths` are written as COPY's sources, wildcards included; `ignore` and `exclude` are patterns as in .dockerignore,
    the first for the whole tree, the second below each source. `folders` are host folders whose content is copied too,
    and `files` pairs of a file that `fetch` or `write` gave, and the name that it gets.
    """

    trees: tuple[str, ...] | None = None
    paths: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    parents: bool = False
    folders: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where copied files go: into a layer over `base` (what `Layers.stack` gives).

    `destination` is absolute; a slash at its end says that it is a directory. `owner` is as in --chown, resolved inside
    the base; empty keeps the owners of another image's files and gives the context's to root. `mode` is as in --chmod.
    `link` ignores what the base has there, so that the layer fits on any other base. `unpack` and `unpack_files` unpack
    archives among the selection's paths and files, as ADD does. `epoch` (seconds) is the latest time a file may bear.
    """

    base: tuple[str, ...]
    destination: str
    owner: str = ""
    mode: str = ""
    link: bool = False
    unpack: bool = False
    unpack_files: bool = False
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that came from a URL: its place in the build, the name that the URL gives it, its digest."""

    file: str
    name: str
    digest: str
    size: int


class BuildFiles(Protocol):
    """Files of builds."""

    async def receive(self, build: str, archive: AsyncIterable[bytes]) -> None:
        """Take in the context, a tar archive, compressed or not.

        Raises:
            InvalidParameter: it is not one, or is damaged or hostile.
        """

    async def read(self, build: str, *paths: str) -> dict[str, bytes]:
        """Small regular files of the context, by those of the paths where there is one.

        Raises:
            InvalidParameter: one is larger than a Dockerfile can be.
        """

    async def digest(self, build: str, selection: Selection) -> str:
        """A digest of names, kinds, modes, owners, attributes and content of all that is selected. Times do not count.

        Raises:
            InvalidParameter: a source is not there, in Docker's words.
        """

    def copy(self, build: str, selection: Selection, placement: Placement) -> AsyncIterator[bytes]:
        """What is selected, as the archive of a layer.

        Raises:
            InvalidParameter: a source is not there, or cannot go where it should.
        """

    async def make_folder(self, base: tuple[str, ...], path: str, epoch: int | None) -> bytes | None:
        """The archive of a layer that holds the folder `path`; None if the base has it already.

        Raises:
            InvalidParameter: something else is there.
        """

    async def tidy(self, upper: str, covered: tuple[str, ...]) -> None:
        """Take out of an overlay's upper directory what only stood where something was mounted: `covered` and Docker's
        own mounts. Whatever is there is not of the command, which saw the mounts."""

    async def vacancy(self, build: str) -> str:
        """A host path where nothing is, for a folder that goes with the build."""

    async def write(self, build: str, data: bytes, mode: int) -> str:
        """Keep a small file until the build ends; its host path."""

    async def conceal(self, build: str, data: bytes, mode: int, uid: int, gid: int) -> str:
        """Keep a secret until the build ends, in memory and never on a disk; its host path."""

    async def socket(self, build: str) -> str:
        """A host path where nothing is, for a socket that lives no longer than the build."""

    async def own(self, path: str, mode: int, uid: int, gid: int) -> None:
        """Give a socket a mode and an owner."""

    async def fetch(self, build: str, url: str) -> Fetched:
        """Get a file by http or https.

        Raises:
            InvalidParameter: the address cannot be. Unavailable: the server does not give it.
        """

    def as_context(self, file: str, dockerfile: str) -> AsyncIterator[bytes]:
        """A fetched file as the archive of a context: an archive as it is, another file as one of this name in it."""

    async def context_path(self, build: str, ignore: tuple[str, ...], path: str) -> str:
        """The host path of what `path` leads to in the context, unpacked; links do not lead out of it.

        Raises:
            InvalidParameter: nothing is there.
        """

    async def lay_out(self, build: str, archive: AsyncIterator[bytes]) -> str:
        """The host path of a folder with what is in the archive, which goes with the build."""

    async def cache_folder(
        self, build: str, name: str, mode: int, uid: int, gid: int, beginning: AsyncIterator[bytes] | None = None
    ) -> str:
        """The host path of a folder that outlives builds, made with this mode and owner if it is not there.

        A new one is empty, or begins with what is in an archive.
        """

    async def discard(self, build: str) -> None:
        """Remove all that belongs to the build. Idempotent."""

    async def survey(self) -> frozenset[str]:
        """Builds that left something."""
