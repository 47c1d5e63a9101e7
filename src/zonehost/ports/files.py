"""A zone's files, seen from outside: `docker cp`, `export`, `diff`, copy-up.

All paths are resolved inside the zone's root, as the zone itself would: no symbolic link leads out. A running zone is
entered; the root of a stopped one is mounted privately for the call.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from zonehost.domain.blueprint import BindMount, ImageMount, Root


@dataclass(frozen=True, slots=True)
class ZoneTree:
    """What is needed to reach a zone's files: its process if it runs, else what its root is made of.

    `working_dir` is that of a zone that was never started, empty for others: the folder is shown as if it had been.
    """

    zone: str
    pid: int
    root: Root
    binds: tuple[BindMount, ...] = ()
    images: tuple[ImageMount, ...] = ()
    working_dir: str = ""


@dataclass(frozen=True, slots=True)
class PathStat:
    """Docker's X-Docker-Container-Path-Stat. `mode` has Go's os.FileMode bits; `mtime` is nanoseconds."""

    name: str
    size: int
    mode: int
    mtime: int
    link_target: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """A difference from the image: kind 0 modified, 1 added, 2 deleted."""

    path: str
    kind: int


class ZoneFiles(Protocol):
    """Reads and writes files of zones."""

    async def stat(self, tree: ZoneTree, path: str) -> PathStat:
        """What is at the path; a final symbolic link is not followed.

        Raises:
            NotFound: `Could not find the file PATH in container ID`.
        """

    def read(self, tree: ZoneTree, path: str) -> AsyncIterator[bytes]:
        """A tar of what is at the path, named by its last component, with the zone's own ids.

        Raises:
            NotFound: as `stat`, before the first byte.
        """

    async def write(
        self,
        tree: ZoneTree,
        path: str,
        archive: AsyncIterable[bytes],
        *,
        keep_kinds: bool = False,
        user: str = "",
    ) -> None:
        """Unpack a tar (compressed or not) into the directory at the path.

        `keep_kinds` refuses to replace a directory by something else and the reverse (noOverwriteDirNonDir). Files keep
        the archive's ids, or belong to `user` (user[:group], names of the zone or numbers), as Docker's copyUIDGID
        gives them to the container's own user.

        Raises:
            NotFound: no such directory. InvalidParameter: not a directory, no such user, or a kind would change.
            Conflict: something is mounted on what would be replaced.
            Forbidden: the root or the mount is read-only.
        """

    def export(self, tree: ZoneTree) -> AsyncIterator[bytes]:
        """The whole root as a tar, without what is mounted on it."""

    async def changes(self, tree: ZoneTree) -> tuple[FileChange, ...]:
        """What differs from the image, in Docker's order."""

    async def populate(self, tree: ZoneTree, path: str, destination: str, below: str = "") -> None:
        """Copy what the image has below `path` into the empty host directory `destination`, with owners and attributes.

        With `below`, into that directory of it. Nothing happens if the path is not a directory of the image, or the
        destination is not empty, not there, or led out of by a link.
        """

    async def sizes(self, tree: ZoneTree) -> int:
        """Bytes of the files that the zone itself has written (SizeRw)."""
