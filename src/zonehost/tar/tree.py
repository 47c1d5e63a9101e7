"""A directory, written into by names that cannot lead out of it.

Every name is looked up from the directory's descriptor, never through a path of the host. Symbolic links on the way are
followed as if the directory were the root. Owns finding, and making missing directories; what is put there is its
caller's.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from typing import Final

from zonehost.errors import InvalidParameter
from zonehost.linux.openat import BENEATH, NO_SYMLINKS, open_below
from zonehost.tar.entry import shown

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FOLDERS: Final = 256
_MAX_LINKS: Final = 40
IMPLIED_MODE: Final = 0o755
"""The mode of a directory that an archive names only as part of a longer name, as Docker has it."""


class Tree:
    """A directory to write into. Close it when done; the descriptor given stays the caller's."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.implied: list[bytes] = []
        """Directories that were made because a name needed them."""
        self._folders: dict[bytes, tuple[int, bytes]] = {b"": (root, b"")}

    def parent(self, name: bytes, *, make: bool = True) -> tuple[int, bytes, bytes]:
        """The directory that holds `name`: its descriptor, its real path below the root, and the last component.

        Missing directories are made, unless `make` is false. The descriptor is valid until the next call.

        Raises:
            InvalidParameter: a part of the name is no directory.
            FileNotFoundError: a part is missing, and `make` is false.
        """
        folder, _, base = name.rpartition(b"/")
        found = self._folders.get(folder) or self._find(folder, make)
        return found[0], found[1], base

    def folder(self, name: bytes) -> int:
        """The descriptor of an existing directory, valid until the next call; links are not followed.

        Raises:
            OSError: there is none.
        """
        return self._remember(name, name)[0]

    def forget(self) -> None:
        """Drop what is known of directories, because one was replaced."""
        for folder, (fd, _) in list(self._folders.items()):
            if folder:
                os.close(fd)
                del self._folders[folder]

    close = forget

    def _find(self, folder: bytes, make: bool) -> tuple[int, bytes]:
        try:
            return self._remember(folder, folder)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
                raise
        return self._remember(folder, self._walk(folder, make))

    def _remember(self, folder: bytes, real: bytes) -> tuple[int, bytes]:
        known = self._folders.get(folder)
        if known is not None:
            return known
        if len(self._folders) > _OPEN_FOLDERS:
            oldest = next(name for name in self._folders if name)
            os.close(self._folders.pop(oldest)[0])
        found = open_below(self.root, real, _FOLDER, BENEATH | NO_SYMLINKS), real
        self._folders[folder] = found
        return found

    def _walk(self, folder: bytes, make: bool) -> bytes:
        """The real path of a directory, its links resolved and its missing parts made."""
        parts = deque(folder.split(b"/"))
        real: list[bytes] = []
        links = 0
        while parts:
            part = parts.popleft()
            if part in (b"", b"."):
                continue
            if part == b"..":
                del real[-1:]
                continue
            where = b"/".join(real)
            holder = open_below(self.root, where, _FOLDER, BENEATH | NO_SYMLINKS)
            try:
                mode = self._mode(holder, part)
                if mode is None and make:
                    os.mkdir(part, IMPLIED_MODE, dir_fd=holder)
                    _allow(holder, part)
                    self.implied.append(b"%s/%s" % (where, part) if where else part)
                elif mode is None:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
                elif stat.S_ISLNK(mode) and links < _MAX_LINKS:
                    links += 1
                    target = os.readlink(part, dir_fd=holder)
                    real = [] if target.startswith(b"/") else real
                    parts.extendleft(reversed(target.split(b"/")))
                    continue
                elif not stat.S_ISDIR(mode):
                    raise InvalidParameter(f"{shown(folder)}: {shown(part)} is not a directory")
            finally:
                os.close(holder)
            real.append(part)
        return b"/".join(real)

    @staticmethod
    def _mode(holder: int, name: bytes) -> int | None:
        try:
            return os.stat(name, dir_fd=holder, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return None


def _allow(holder: int, name: bytes) -> None:
    """Give a new directory its mode, whatever the umask; a link that a zone put in its place is not followed."""
    folder = os.open(name, _FOLDER, dir_fd=holder)
    try:
        os.fchmod(folder, IMPLIED_MODE)
    finally:
        os.close(folder)
