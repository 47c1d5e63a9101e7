"""statfs(2): its numbers and its structures, those for 32-bit programs too.

Of the kernel's arch/*/entry/syscalls and fs/statfs.c. 64-bit programs have one form of it on all architectures here.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from zonehost.linux import libc

BTRFS: Final = 0x9123683E
OVERLAY: Final = 0x794C7630
_WORD: Final = 0xFFFFFFFF

_NATIVE: Final = struct.Struct("=7Q8s3Q32x")
_COMPAT: Final = struct.Struct("=7I8s3I16x")
_COMPAT_64: Final = struct.Struct("=2I5Q8s3I16x")


class Statfs(NamedTuple):
    """struct statfs; sizes are in blocks."""

    type: int
    block_size: int
    blocks: int
    free: int
    available: int
    files: int
    free_files: int
    fsid: bytes
    name_length: int
    fragment_size: int
    flags: int


Form = Callable[[Statfs], bytes | None]
"""What the kernel writes for a caller; None where its structure has no room for the numbers (EOVERFLOW)."""


class Call(NamedTuple):
    """A system call of this family. `size` is what its second argument must say; 0 if it has none."""

    by_path: bool
    form: Form
    size: int = 0


def native(status: Statfs) -> bytes:
    """struct statfs, and struct statfs64, of 64-bit programs."""
    return _NATIVE.pack(*status)


def compat(status: Statfs) -> bytes | None:
    """struct compat_statfs."""
    sizes = (status.block_size, status.blocks, status.free, status.available, status.fragment_size)
    return None if max(sizes) > _WORD else _COMPAT.pack(status.type & _WORD, *_words(status[1:]))


def compat_64(status: Statfs) -> bytes:
    """struct compat_statfs64."""
    return _COMPAT_64.pack(status.type & _WORD, *status[1:7], status.fsid, *_words(status[8:]))


def _words(fields: tuple[int | bytes, ...]) -> list[int | bytes]:
    return [field & _WORD if isinstance(field, int) else field for field in fields]


_PATH, _FILE = Call(True, native), Call(False, native)
_COMPAT_CALLS: Final = {99: Call(True, compat), 100: Call(False, compat)}
_COMPAT_64_CALLS: Final = (Call(True, compat_64, _COMPAT_64.size), Call(False, compat_64, _COMPAT_64.size))
_X32: Final = 0x40000000

CALLS: Final[dict[int, dict[int, Call]]] = {
    "x86_64": {
        0xC000003E: {137: _PATH, 138: _FILE, _X32 | 137: _PATH, _X32 | 138: _FILE},
        0x40000003: _COMPAT_CALLS | dict(zip((268, 269), _COMPAT_64_CALLS, strict=True)),
    },
    "aarch64": {
        0xC00000B7: {43: _PATH, 44: _FILE},
        0x40000028: _COMPAT_CALLS | dict(zip((266, 267), _COMPAT_64_CALLS, strict=True)),
    },
    "riscv64": {0xC00000F3: {43: _PATH, 44: _FILE}},
    "ppc64le": {
        0xC0000015: {
            99: _PATH,
            100: _FILE,
            252: _PATH._replace(size=_NATIVE.size),
            253: _FILE._replace(size=_NATIVE.size),
        }
    },
}.get(os.uname().machine, {})
"""The calls of programs on this machine, by architecture (AUDIT_ARCH_… of linux/audit.h) and number."""


def of_file(descriptor: int) -> Statfs:
    """Of the file system that an open file is on; O_PATH is enough.

    Raises:
        OSError: as fstatfs(2).
    """
    buffer = ctypes.create_string_buffer(_NATIVE.size)
    libc.call("fstatfs", descriptor, ctypes.addressof(buffer))
    return Statfs(*_NATIVE.unpack(buffer.raw))
