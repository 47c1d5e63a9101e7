"""What an operator asks of the pool as a whole; long work is done in threads."""

from __future__ import annotations

import asyncio

from zonehost.drivers.storage.btrfs.pool import Pool
from zonehost.drivers.storage.btrfs.subvolumes import our_errors
from zonehost.linux import btrfs
from zonehost.ports.pool import PoolStatus, ScrubReport

_SECTOR = 512
"""The unit of st_blocks (stat(2))."""


class PoolAdministration:
    """`ports.pool.PoolAdmin` on a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def status(self) -> PoolStatus:
        """From statfs(2), which counts no file, and from the pool's file."""
        size, free = self._pool.size()
        backing = self._pool.backing
        return PoolStatus(
            size=size,
            used=size - free,
            free=free,
            device=self._pool.device or "",
            backing=str(backing or ""),
            occupied=backing.stat().st_blocks * _SECTOR if backing is not None else 0,
        )

    async def grow(self, size: int) -> None:
        """Grow the file, the device and the file system, in this order."""
        await asyncio.to_thread(self._pool.grow, size)

    async def scrub(self) -> ScrubReport:
        """By the kernel, which reads at low priority."""
        with our_errors("scrub the pool"):
            found = await asyncio.to_thread(btrfs.scrub, self._pool.descriptor)
        return ScrubReport(found.data + found.metadata, found.errors, found.uncorrectable)

    async def trim(self) -> int:
        """What is discarded in the device becomes a hole in the pool's file."""
        with our_errors("trim the pool"):
            await asyncio.to_thread(btrfs.sync, self._pool.descriptor)
            return await asyncio.to_thread(btrfs.trim, self._pool.descriptor)
