"""Which mount a file is on, and of what kind its file system is, without asking that file system anything.

One that is hung, as FUSE or a network's can be, is told apart so too (statx(2), statmount(2); Linux 6.11).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from typing import Final

from zonehost.linux import libc

_STATX: Final = {"x86_64": 332, "ppc64le": 383}.get(os.uname().machine, 291)
_STATMOUNT: Final = 457
_AT_EMPTY_PATH, _AT_STATX_DONT_SYNC = 0x1000, 0x4000
_STATX_SIZE, _STATX_MNT_ID, _STATX_MNT_ID_UNIQUE = 256, 144, 0x4000
_NS_GET_MNTNS_ID: Final = 0x8008B705
_REQUEST: Final = struct.Struct("=IIQQQ")
_STATMOUNT_SIZE, _STATMOUNT_SB_MAGIC, _STATMOUNT_SB_BASIC = 512, 24, 1


def mount_of(file: int) -> int:
    """The mount that an open file is on; no other mount ever has this number.

    Raises:
        OSError: as statx(2).
    """
    found = ctypes.create_string_buffer(_STATX_SIZE)
    flags = _AT_EMPTY_PATH | _AT_STATX_DONT_SYNC
    libc.syscall(_STATX, file, b"", flags, _STATX_MNT_ID_UNIQUE, ctypes.addressof(found))
    return int.from_bytes(found.raw[_STATX_MNT_ID : _STATX_MNT_ID + 8], "little")


def file_system_of(mount: int, namespace: int) -> int:
    """The magic number of a mount's file system, as statfs(2) has it; `namespace` is a mount namespace, open.

    Raises:
        OSError: ENOENT, the mount is not in it.
    """
    identity = fcntl.ioctl(namespace, _NS_GET_MNTNS_ID, bytes(8))
    request = _REQUEST.pack(_REQUEST.size, 0, mount, _STATMOUNT_SB_BASIC, int.from_bytes(identity, "little"))
    found = ctypes.create_string_buffer(_STATMOUNT_SIZE)
    libc.syscall(_STATMOUNT, request, ctypes.addressof(found), _STATMOUNT_SIZE, 0)
    return int.from_bytes(found.raw[_STATMOUNT_SB_MAGIC : _STATMOUNT_SB_MAGIC + 8], "little")
