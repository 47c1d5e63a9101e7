"""Walks a directory and names what is in it as members of an archive.

The order is fixed: a directory before its content, names in the order of their bytes. Every name is reached through the
descriptor of its directory; symbolic links are not followed, and nothing but regular files is opened. A file that goes
while the walk is under way is left out.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from zonehost.tar import entry
from zonehost.tar.entry import Entry

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CHUNK: Final = 1 << 20
_KINDS: Final = {
    stat.S_IFREG: entry.REGULAR,
    stat.S_IFDIR: entry.DIRECTORY,
    stat.S_IFLNK: entry.SYMLINK,
    stat.S_IFCHR: entry.CHARACTER,
    stat.S_IFBLK: entry.BLOCK_DEVICE,
    stat.S_IFIFO: entry.FIFO,
}


@dataclass(frozen=True, slots=True)
class Found:
    """A member, and where it is: the descriptor of its directory (valid until the next step) and its name there."""

    member: Entry
    holder: int
    base: bytes


class Scanner:
    """Walks directories; hard links are told among all that one scanner has seen."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], bytes] = {}

    def walk(self, root: int, name: bytes = b"") -> Iterator[Found]:
        """What is below a directory, named below `name`; the directory itself is not among it.

        Raises:
            OSError: the disk or the kernel failed.
        """
        levels = [(os.dup(root), name, _names(root))]
        try:
            while levels:
                holder, where, names = levels[-1]
                base = next(names, None)
                if base is None:
                    os.close(levels.pop()[0])
                    continue
                found = self.find(holder, base, b"%s/%s" % (where, base) if where else base)
                if found is None:
                    continue
                yield found
                if found.member.kind == entry.DIRECTORY and (folder := _open_folder(holder, base)) is not None:
                    levels.append((folder, found.member.name, _names(folder)))
        finally:
            for fd, _, _ in levels:
                os.close(fd)

    def find(self, holder: int, base: bytes, name: bytes) -> Found | None:
        """The file `base` of a directory as a member called `name`; None if it is gone, or is a socket."""
        try:
            status = os.stat(base, dir_fd=holder, follow_symlinks=False)
            kind = _KINDS.get(stat.S_IFMT(status.st_mode))
            if kind is None:
                return None
            link = os.readlink(base, dir_fd=holder) if kind == entry.SYMLINK else b""
            xattrs = read_xattrs(b"/proc/self/fd/%d/%s" % (holder, base))
        except FileNotFoundError:
            return None
        if status.st_nlink > 1 and kind != entry.DIRECTORY:
            first = self._seen.setdefault((status.st_dev, status.st_ino), name)
            if first != name:
                kind, link, xattrs = entry.HARD_LINK, first, {}
        device = kind in (entry.CHARACTER, entry.BLOCK_DEVICE)
        member = Entry(
            name=name,
            kind=kind,
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            size=status.st_size if kind == entry.REGULAR else 0,
            mtime=status.st_mtime_ns,
            link=link,
            device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if device else (0, 0),
            xattrs=xattrs,
        )
        return Found(member, holder, base)


@contextmanager
def reading(found: Found) -> Iterator[Iterator[memoryview]]:
    """The content of a regular file, in as many bytes as its member's size says; nothing for other members.

    A file that has become shorter is filled up with zeros, as GNU tar does; what it has become longer is left out.

    Raises:
        OSError: it is gone, or is something else now.
    """
    if found.member.kind != entry.REGULAR or not found.member.size:
        yield iter(())
        return
    fd = os.open(found.base, _FILE, dir_fd=found.holder)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), found.base)
        yield _contents(fd, found.member.size)
    finally:
        os.close(fd)


def _contents(fd: int, size: int) -> Iterator[memoryview]:
    left = size
    while left and (chunk := os.read(fd, min(_CHUNK, left))):
        left -= len(chunk)
        yield memoryview(chunk)
    while left:
        zeros = bytes(min(_CHUNK, left))
        left -= len(zeros)
        yield memoryview(zeros)


def read_xattrs(file: bytes | int) -> dict[bytes, bytes]:
    """All extended attributes of a file, not following a link."""
    follow = isinstance(file, int)
    try:
        names = os.listxattr(file, follow_symlinks=follow)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise
    return {os.fsencode(name): os.getxattr(file, name, follow_symlinks=follow) for name in names}


def _names(folder: int) -> Iterator[bytes]:
    return iter(sorted(map(os.fsencode, os.listdir(folder))))


def _open_folder(holder: int, base: bytes) -> int | None:
    try:
        return os.open(base, _FOLDER, dir_fd=holder)
    except (FileNotFoundError, NotADirectoryError):
        return None
