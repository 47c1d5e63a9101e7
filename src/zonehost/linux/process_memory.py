"""What another process has in its memory, by the folder of it in /proc (proc(5)).

The folder stands for that process alone: what is read and written by it is never that of another with its number.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PATH_MAX: Final = 4096
_KERNEL: Final = 1 << 63
"""The kernel's half of all addresses begins here."""
_QUERY: Final = struct.Struct("=QQQQQ64x")
_PROCMAP_QUERY: Final = 0xC0686611
_WRITABLE: Final = 0x02


def read_path(process: int, address: int) -> bytes:
    """The path at the address.

    Raises:
        OSError: EIO, there is no memory; ENAMETOOLONG, it does not end (PATH_MAX).
    """
    if address >= _KERNEL:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    memory = _open(process, "mem", os.O_RDONLY)
    try:
        text = os.pread(memory, _PAGE - address % _PAGE, address)
        if b"\0" not in text:
            text += os.pread(memory, _PATH_MAX, address + len(text))
    finally:
        os.close(memory)
    path, end, _ = text[:_PATH_MAX].partition(b"\0")
    if not end:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    return path


def write(process: int, address: int, text: bytes) -> None:
    """Write where the process itself could write.

    Raises:
        OSError: EFAULT, it could not: `mem` alone would write to read-only memory too.
    """
    if address >= _KERNEL:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    maps = _open(process, "maps", os.O_RDONLY)
    try:
        found = bytearray(_QUERY.pack(_QUERY.size, _WRITABLE, address, 0, 0))
        fcntl.ioctl(maps, _PROCMAP_QUERY, found)
    except FileNotFoundError as error:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT)) from error
    finally:
        os.close(maps)
    if address + len(text) > _QUERY.unpack(found)[4]:
        raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
    memory = _open(process, "mem", os.O_WRONLY)
    try:
        os.pwrite(memory, text, address)
    finally:
        os.close(memory)


def _open(process: int, name: str, flags: int) -> int:
    return os.open(name, flags | os.O_CLOEXEC, dir_fd=process)
