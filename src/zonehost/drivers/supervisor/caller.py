"""The file that a caller of statfs(2) names, found as the kernel would find it, but not where a file system may hang.

A path is walked name by name from the caller's own root, with the caller's permissions. A way that leads over FUSE,
a network or /proc is left to the kernel: a server of the zone's own could be waiting for this very answer.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from zonehost.drivers.supervisor.calls import Waiting
from zonehost.linux import mount_identity, seccomp_notify, statfs

_LOCAL: Final = frozenset((statfs.BTRFS, statfs.OVERLAY, 0x01021994, 0xEF53, 0x58465342, 0xE0F5E1E2, 0x73717368))
"""Those, tmpfs, ext4, xfs, erofs and squashfs (linux/magic.h)."""
_MOST_LINKS: Final = 40
"""As in the kernel (MAXSYMLINKS)."""
_REMEMBERED: Final = 4096
_DESCRIPTOR: Final = 0xFFFFFFFF
"""The bits of an argument that are a descriptor."""


class Foreign(OSError):
    """The file, or the way to it, is on a file system that is not asked."""


class Mounts:
    """What kind each mount is, remembered: no mount's number is used again."""

    def __init__(self) -> None:
        self._kinds: dict[int, int] = {}

    def check(self, process: int, file: int) -> int:
        """The mount that a file is on, as a process sees it; `process` is its folder in /proc.

        Raises:
            Foreign: it is not local. OSError: it is not to be seen there.
        """
        mount = mount_identity.mount_of(file)
        kind = self._kinds.get(mount)
        if kind is None:
            kind = self._ask(process, mount)
        if kind not in _LOCAL:
            raise Foreign(errno.EXDEV, os.strerror(errno.EXDEV))
        return mount

    def _ask(self, process: int, mount: int) -> int:
        namespace = os.open("ns/mnt", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
        try:
            kind = mount_identity.file_system_of(mount, namespace)
        finally:
            os.close(namespace)
        if len(self._kinds) >= _REMEMBERED:
            self._kinds.clear()
        self._kinds[mount] = kind
        return kind


@contextmanager
def process_of(waiting: Waiting) -> Iterator[int]:
    """The folder in /proc of the thread that waits, as a descriptor.

    Raises:
        OSError: it waits no more: its number may be another's by now.
    """
    process = _open(f"/proc/{waiting.notification.thread}".encode(), None, os.O_DIRECTORY)
    try:
        if not seccomp_notify.waits(waiting.listener, waiting.notification.id):
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        yield process
    finally:
        os.close(process)


def open_file(mounts: Mounts, process: int, argument: int) -> int:
    """An O_PATH descriptor of a file that the process has open; the lower half of the argument is its number.

    Raises:
        Foreign: it is not local. OSError: there is none.
    """
    file = _open(f"fd/{argument & _DESCRIPTOR}".encode(), process)
    try:
        mounts.check(process, file)
    except OSError:
        os.close(file)
        raise
    return file


def open_path(mounts: Mounts, process: int, path: bytes) -> int:
    """An O_PATH descriptor of what is at the path for the process.

    Raises:
        Foreign: it is not local, or the way is not. OSError: nothing is there, or the way is barred.
    """
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    with _Walk(mounts, process) as walk:
        return walk.to(path)


class _Walk:
    def __init__(self, mounts: Mounts, process: int) -> None:
        self._mounts = mounts
        self._process = process
        self._root = _open(b"root", process)
        self._here = _open(b"cwd", process)

    def __enter__(self) -> _Walk:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._root)
        os.close(self._here)

    def to(self, path: bytes) -> int:
        """The end of the path. A link on the way is replaced by what it says."""
        names = self._names(path)
        self._place(self._here)
        links = 0
        while names:
            name = names.popleft()
            if name == b".." and self._place(self._here) == self._place(self._root):
                continue
            found = _open(name or b".", self._here, os.O_NOFOLLOW)
            if self._is_link(found):
                links += 1
                names.extendleft(reversed(self._follow(found, links)))
            else:
                self._go(found)
        return os.dup(self._here)

    def _names(self, path: bytes) -> deque[bytes]:
        """The names of a path; an empty one, as at its end after a slash, says that a folder has to be there."""
        if path.startswith(b"/"):
            self._go(os.dup(self._root))
        return deque(path.split(b"/"))

    def _is_link(self, file: int) -> bool:
        try:
            self._mounts.check(self._process, file)
            return stat.S_ISLNK(os.fstat(file).st_mode)
        except OSError:
            os.close(file)
            raise

    def _follow(self, link: int, links: int) -> deque[bytes]:
        try:
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            return self._names(os.readlink(b"", dir_fd=link))
        finally:
            os.close(link)

    def _place(self, file: int) -> tuple[int, int]:
        """The mount and the inode, which say where it is."""
        return self._mounts.check(self._process, file), os.fstat(file).st_ino

    def _go(self, file: int) -> None:
        os.close(self._here)
        self._here = file


def _open(name: bytes, folder: int | None, flags: int = 0) -> int:
    return os.open(name, os.O_PATH | os.O_CLOEXEC | flags, dir_fd=folder)
