"""Numbers of btrfs's ioctls, and of some that any file has (the kernel's include/uapi/linux/btrfs.h and fs.h)."""

from __future__ import annotations

import os
from typing import Final

_MAGIC: Final = 0x94
_WRITE, _READ = 1, 2


def _number(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | _MAGIC << 8 | number


SNAP_CREATE: Final = _number(_WRITE, 1, 4096)
RESIZE: Final = _number(_WRITE, 3, 4096)
SYNC: Final = _number(0, 8, 0)
SUBVOL_CREATE: Final = _number(_WRITE, 14, 4096)
SUBVOL_DESTROY: Final = _number(_WRITE, 15, 4096)
TREE_SEARCH_V2: Final = _number(_READ | _WRITE, 17, 112)
SNAP_CREATE_V2: Final = _number(_WRITE, 23, 4096)
SUBVOL_CREATE_V2: Final = _number(_WRITE, 24, 4096)
WAIT_SYNC: Final = _number(_WRITE, 22, 8)
START_SYNC: Final = _number(_READ, 24, 8)
SUBVOL_GETFLAGS: Final = _number(_READ, 25, 8)
SUBVOL_SETFLAGS: Final = _number(_WRITE, 26, 8)
FS_INFO: Final = _number(_READ, 31, 1024)
SEND: Final = _number(_WRITE, 38, 72)
QUOTA_CTL: Final = _number(_READ | _WRITE, 40, 16)
QGROUP_ASSIGN: Final = _number(_WRITE, 41, 24)
QGROUP_CREATE: Final = _number(_WRITE, 42, 16)
QGROUP_LIMIT: Final = _number(_READ, 43, 48)
GET_SUBVOL_INFO: Final = _number(_READ, 60, 504)
SNAP_DESTROY_V2: Final = _number(_WRITE, 63, 4096)
SCRUB: Final = _number(_READ | _WRITE, 27, 1024)
FITRIM: Final = (_READ | _WRITE) << 30 | 24 << 16 | ord("X") << 8 | 121
GETFLAGS: Final = _READ << 30 | 8 << 16 | ord("f") << 8 | 1
SETFLAGS: Final = _WRITE << 30 | 8 << 16 | ord("f") << 8 | 2

MAKING: Final = frozenset((SNAP_CREATE, SUBVOL_CREATE, SNAP_CREATE_V2, SUBVOL_CREATE_V2))
"""Those after which there is one subvolume more. Programs of 32 bits have the same."""

_X32: Final = 0x40000000
CALLS: Final[dict[int, dict[int, frozenset[int]]]] = {
    "x86_64": {0xC000003E: {16: MAKING, _X32 | 514: MAKING}, 0x40000003: {54: MAKING}},
    "aarch64": {0xC00000B7: {29: MAKING}, 0x40000028: {54: MAKING}},
    "riscv64": {0xC00000F3: {29: MAKING}},
    "ppc64le": {0xC0000015: {54: MAKING}},
}.get(os.uname().machine, {})
"""The calls of ioctl(2) that make subvolumes, by architecture (AUDIT_ARCH_… of linux/audit.h) and number."""
