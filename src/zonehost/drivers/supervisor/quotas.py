"""What bounds the subvolume that a file is in, and how much of that is used: asked of the kernel, as it is now."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from zonehost.linux import btrfs

_GROUPS: Final = "/sys/fs/btrfs/{}/qgroups"
_UUID: Final = ((0, 4), (4, 6), (6, 8), (8, 10), (10, 16))
"""The bytes between its dashes. Python's own module for it would be a tenth of this process."""
_FSID: Final = struct.Struct("=II")
_LEVEL: Final = 48
_LIMITED: Final = 1
_COUNTED: Final = ("referenced", "rsv_data")
"""What is on the disk, and data on its way there. What is set aside for metadata (`rsv_meta_…`) is a guess that the
kernel takes back when it commits, and before it refuses a write (try_flush_qgroup())."""
_REMEMBERED: Final = 4096


class Quota(NamedTuple):
    """Bytes that may be held, and that are."""

    limit: int
    used: int

    @property
    def left(self) -> int:
        """Bytes that can still be written."""
        return max(0, self.limit - self.used)


class Quotas:
    """The quota groups of the pool whose folder is open at `pool`."""

    def __init__(self, pool: int) -> None:
        self._pool = pool
        identity = btrfs.filesystem_id(pool)
        self._folder = _GROUPS.format("-".join(identity[at:end].hex() for at, end in _UUID))
        words = struct.unpack(">IIII", identity)
        self._fsid = (words[0] ^ words[2], words[1] ^ words[3])
        self._known: dict[int, tuple[int, ...]] = {}

    def of(self, fsid: bytes) -> Quota | None:
        """The tightest limit of the subvolume that statfs(2) calls by this f_fsid; None if it has none."""
        return min(self._quotas(self.subvolume(fsid)), key=lambda quota: quota.left, default=None)

    def subvolume(self, fsid: bytes) -> int:
        """The number in f_fsid, which the kernel makes of the file system's id and the subvolume's (btrfs_statfs())."""
        first, second = _FSID.unpack(fsid)
        return int((first ^ self._fsid[0]) << 32 | second ^ self._fsid[1])

    def _quotas(self, subvolume: int) -> Iterator[Quota]:
        for group in self._groups(subvolume):
            folder = f"{self._folder}/{group >> _LEVEL}_{group & (1 << _LEVEL) - 1}"
            try:
                if _number(f"{folder}/limit_flags") & _LIMITED:
                    yield Quota(
                        _number(f"{folder}/max_referenced"), sum(_number(f"{folder}/{name}") for name in _COUNTED)
                    )
            except FileNotFoundError:
                continue

    def _groups(self, subvolume: int) -> tuple[int, ...]:
        """The groups above a subvolume, which has them from its first to its last day; no number is used again."""
        groups = self._known.get(subvolume)
        if groups is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            groups = self._known[subvolume] = tuple(btrfs.groups_above(self._pool, subvolume))
        return groups


def _number(path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(descriptor, 32))
    finally:
        os.close(descriptor)
