"""What a zone's dataset begins as: an empty subvolume in which inode numbers come after those of all layers.

Every subvolume of btrfs counts its inodes from 257, and overlayfs, to which all subvolumes are one file system, passes
the numbers on: without this a file that a zone makes could be taken for one of its image (docs/kernel-notes.md). The
kernel gives out the number after the highest that it finds in a subvolume, also in a snapshot of it. So there is one
subvolume, the blank, that holds a high number, and zones' datasets are snapshots of it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from zonehost.drivers.storage.btrfs.subvolumes import Subvolumes
from zonehost.linux import btrfs, inotify
from zonehost.linux.inotify import Inotify

log = logging.getLogger(__name__)

_MARK: Final = "root"
"""A folder that every zone's dataset has anyway."""
_TICK: Final = 100_000_000
"""Nanoseconds in which two changes of a folder may bear the same time."""
_PAUSE: Final = 0.1
"""Seconds between two looks at how far layers are that are being unpacked."""
_LOOKS: Final = 10


class Blank:
    """The blank of the pool at `root`, whose layers are below `root/layers`."""

    def __init__(self, root: Path, descriptor: int, subvolumes: Subvolumes) -> None:
        self._subvolumes = subvolumes
        self._path = root / "blank"
        self._layers = root / "layers"
        self._rising = threading.Lock()
        self._above = 0
        """The time of the last change of the folder of layers that the mark is known to be above."""
        for name in ("blank", "layers"):
            with suppress(FileExistsError):
                btrfs.create_subvolume(descriptor, name)

    def become(self, dataset: Path) -> None:
        """Make the dataset, where it is missing. Blocks for the pool's commit, 1 to 20 ms, and to rise.

        Raises:
            OSError: the pool is full, or cannot be written.
        """
        if dataset.exists():
            return
        self._rise()
        self._subvolumes.snapshot(self._path, dataset, place=dataset)

    async def tend(self) -> None:
        """Rise beside the unpacking of layers, so that the first zone of an image need not wait for it; for ever."""
        layers = Inotify()
        try:
            layers.add(self._layers, inotify.CREATE | inotify.MOVED_TO)
            while await layers.read():
                try:
                    await self._follow()
                except OSError as error:
                    log.warning("inode numbers are used up only with the next zone: %s", error.strerror)
        finally:
            layers.close()

    async def _follow(self) -> None:
        """Use up numbers as layers do, until they have not for some looks; then rise."""
        idle = 0
        while idle < _LOOKS:
            highest = await asyncio.to_thread(_next_number, self._layers)
            used = await asyncio.to_thread(self._use_up, highest)
            idle = 0 if used > 1 else idle + 1
            await asyncio.sleep(_PAUSE)
        await asyncio.to_thread(self._rise)

    def _rise(self) -> None:
        """Have the mark above the numbers of all layers that there are.

        A layer gets its name in their folder when it is whole, which the folder's time tells: to ask for the next
        number would use one up each time.
        """
        with self._rising:
            changed = self._layers.stat().st_mtime_ns
            if changed == self._above:
                return
            mark = self._path / _MARK
            highest = _next_number(self._layers)
            if not mark.exists() or mark.stat().st_ino <= highest:
                self._raise(mark, highest)
            if time.time_ns() - changed > _TICK:
                self._above = changed

    def _raise(self, mark: Path, highest: int) -> None:
        self._use_up(highest)
        higher = self._path / f"{_MARK}.new"
        higher.mkdir(exist_ok=True)
        higher.rename(mark)

    def _use_up(self, highest: int) -> int:
        """Use up the blank's numbers up to this one, at 16 microseconds each; how many there were, one at least."""
        used = 1
        while _next_number(self._path) < highest:
            used += 1
        return used


def _next_number(folder: Path) -> int:
    """The inode number that was due in the folder's subvolume; it is used up."""
    fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        return os.fstat(fd).st_ino
    finally:
        os.close(fd)
