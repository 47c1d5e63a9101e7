"""Opening a path below a directory so that it cannot lead out, whatever symbolic links are on the way (openat2(2))."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path
from typing import Final

from zonehost.linux import libc

_OPENAT2: Final = 437
_HOW: Final = struct.Struct("=QQQ")

NO_XDEV: Final = 0x01
NO_MAGICLINKS: Final = 0x02
NO_SYMLINKS: Final = 0x04
BENEATH: Final = 0x08
IN_ROOT: Final = 0x10

_TRIES: Final = 64


def open_below(directory: int, path: bytes, flags: int, resolve: int, mode: int = 0) -> int:
    """Open `path` from `directory`; with `IN_ROOT`, as if the directory were the root.

    Raises:
        OSError: ELOOP for a link that NO_SYMLINKS forbids, EXDEV for a path that leads out though BENEATH forbids it.
    """
    how = _HOW.pack(flags | os.O_CLOEXEC, mode, resolve)
    for _ in range(_TRIES):
        try:
            return libc.syscall(_OPENAT2, directory, path or b".", how, len(how))
        except OSError as error:
            # The kernel could not be sure that ".." stays inside while someone renamed a directory: try again.
            if error.errno != errno.EAGAIN:
                raise
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def path_below(folder: str, name: bytes, flags: int) -> str:
    """The host path that a name leads to below the folder, as in a root of its own: links lead no way out of it.

    Raises OSError as `open_below`.
    """
    root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = open_below(root, name, flags, IN_ROOT)
    finally:
        os.close(root)
    try:
        return str(Path(f"/proc/self/fd/{found}").readlink())
    finally:
        os.close(found)
