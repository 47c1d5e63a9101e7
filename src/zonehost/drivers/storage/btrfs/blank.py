"""What a zone's dataset begins as: an empty subvolume in which inode numbers come after those of all layers.

Every subvolume of btrfs counts its inodes from 257, and overlayfs, to which all subvolumes are one file system, passes
the numbers on: without this a file that a zone makes could be taken for one of its image (docs/kernel-notes.md). The
kernel gives out the number after the highest that it finds in a subvolume, also in a snapshot of it. So there is one
subvolume, the blank, that holds a high number, and zones' datasets are snapshots of it.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from zonehost.drivers.storage.btrfs.subvolumes import Subvolumes
from zonehost.linux import btrfs

_MARK: Final = "root"
"""A folder that every zone's dataset has anyway."""
_TICK: Final = 100_000_000
"""Nanoseconds in which two changes of a folder may bear the same time."""


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
        with self._rising:
            self._rise()
        self._subvolumes.snapshot(self._path, dataset, place=dataset)

    def _rise(self) -> None:
        """Use up numbers, at 16 microseconds each, until the mark is above those of all layers that there are.

        A layer gets its name in their folder when it is whole, which the folder's time tells: to ask for the next
        number would use one up each time.
        """
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
        while _next_number(self._path) < highest:
            pass
        higher = self._path / f"{_MARK}.new"
        higher.mkdir(exist_ok=True)
        higher.rename(mark)


def _next_number(folder: Path) -> int:
    """The inode number that was due in the folder's subvolume; it is used up."""
    fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        return os.fstat(fd).st_ino
    finally:
        os.close(fd)
