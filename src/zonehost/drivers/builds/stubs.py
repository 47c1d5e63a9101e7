"""Mount points that a runtime makes where an image has none: they are in the upper directory, and no one wrote them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from zonehost.linux.openat import BENEATH, NO_SYMLINKS, open_below

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ALWAYS: Final = ("/dev", "/proc", "/sys", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys/fs/cgroup")
"""The mounts that every zone has (OCI runtime specification, config-linux.md, default filesystems)."""


def clear(upper: str, covered: Iterable[str]) -> None:
    """Remove what stands at these paths, deepest first: empty files and directories, nothing else.

    Raises:
        OSError: the disk or the kernel failed.
    """
    root = os.open(upper, _FOLDER)
    try:
        for path in sorted({*_ALWAYS, *covered}, key=len, reverse=True):
            with suppress(FileNotFoundError, NotADirectoryError):
                _clear_one(root, os.fsencode(path.strip("/")))
    finally:
        os.close(root)


def _clear_one(root: int, path: bytes) -> None:
    folder, _, base = path.rpartition(b"/")
    holder = open_below(root, folder, _FOLDER, BENEATH | NO_SYMLINKS)
    try:
        before = os.fstat(holder)
        status = os.stat(base, dir_fd=holder, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode) and status.st_size == 0:
            os.unlink(base, dir_fd=holder)
        elif stat.S_ISDIR(status.st_mode):
            try:
                os.rmdir(base, dir_fd=holder)
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
        os.utime(holder, ns=(before.st_mtime_ns, before.st_mtime_ns))
    finally:
        os.close(holder)
