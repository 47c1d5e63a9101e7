"""Paths that clients name, in Docker's reading: cleaned as text, then resolved inside a root.

A final symbolic link is meant itself, unless the path ends with `/` or `/.`.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections import deque
from typing import Final

from zonehost.drivers.files.view import INSIDE
from zonehost.errors import InvalidParameter, NotFound
from zonehost.linux.openat import open_below
from zonehost.ports.files import PathStat, ZoneTree

_MAX_LINKS: Final = 255
_GO_MODES: Final = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
}
_GO_BITS: Final = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


class ZonePath:
    """A path of a zone. `base` names what is there: its last component, `/` for the root, `.` if it ends in it."""

    def __init__(self, tree: ZoneTree, path: str) -> None:
        self._tree = tree
        self._asked = path
        self.clean = posixpath.normpath(f"/{path}").replace("//", "/")
        ends_in_dot = posixpath.basename(path.rstrip("/")) == "."
        self._as_folder = ends_in_dot or path.endswith("/")
        self.base = "." if ends_in_dot else posixpath.basename(self.clean) or "/"

    def open(self, root: int) -> int:
        """A descriptor of what is there, for looking only (O_PATH).

        Raises:
            NotFound: nothing is. InvalidParameter: it should be a directory by the path, and is none.
        """
        flags = os.O_PATH | (os.O_DIRECTORY if self._as_folder else os.O_NOFOLLOW)
        return self._open(root, flags, "not a directory")

    def open_folder(self, root: int) -> int:
        """A descriptor of the directory there, a final link followed.

        Raises:
            NotFound: nothing is. InvalidParameter: it is none.
        """
        return self._open(root, os.O_RDONLY | os.O_DIRECTORY, "extraction point is not a directory")

    def _open(self, root: int, flags: int, otherwise: str) -> int:
        try:
            return open_below(root, os.fsencode(self.clean), flags, INSIDE)
        except FileNotFoundError:
            raise NotFound(f"Could not find the file {self._asked} in container {self._tree.zone}") from None
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            raise InvalidParameter(
                otherwise if error.errno == errno.ENOTDIR else f"too many links in {self._asked}"
            ) from None


def status(root: int, path: ZonePath) -> PathStat:
    """What is at a path.

    Raises:
        As `ZonePath.open`.
    """
    fd = path.open(root)
    try:
        found = os.fstat(fd)
    finally:
        os.close(fd)
    return PathStat(
        name=path.base,
        size=found.st_size,
        mode=go_mode(found.st_mode),
        mtime=found.st_mtime_ns,
        link_target=_follow(root, path.clean) if stat.S_ISLNK(found.st_mode) else "",
    )


def go_mode(mode: int) -> int:
    """The mode in the bits of Go's os.FileMode."""
    special = sum(bit for own, bit in _GO_BITS.items() if mode & own)
    return mode & 0o777 | special | _GO_MODES.get(stat.S_IFMT(mode), 0)


def _follow(root: int, path: str) -> str:
    """Where a path leads inside the root; what is missing is taken as it is written."""
    parts = deque(path.split("/"))
    real: list[str] = []
    links = 0
    while parts:
        part = parts.popleft()
        if part == "..":
            del real[-1:]
        elif part not in ("", "."):
            target = _link(root, "/".join((*real, part)))
            if target is None:
                real.append(part)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise InvalidParameter(f"too many links in {path}")
            real = [] if target.startswith("/") else real
            parts.extendleft(reversed(target.split("/")))
    return "/" + "/".join(real)


def _link(root: int, path: str) -> str | None:
    try:
        fd = open_below(root, os.fsencode(path), os.O_PATH | os.O_NOFOLLOW, INSIDE)
    except OSError:
        return None
    try:
        return os.fsdecode(os.readlink(b"", dir_fd=fd)) if stat.S_ISLNK(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)
