"""Delegated volumes: how many subvolumes a zone may have inside one.

The kernel lets the owner of a folder make subvolumes in it. It bounds the bytes of all of them together (what is made
inside a member of a quota group is a member too), not their number. So the supervisor refuses one that is too many
(`drivers.supervisor.children`). Of several at once some may come past it, and so does one where there is no supervisor:
for these the folder of a delegated volume and those of its children are watched (inotify(7)), and what is too many is
destroyed, the newest first. The limit is an attribute of the volume: who comes back finds it there.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Final

from zonehost.drivers.storage.btrfs.subvolumes import Subvolumes, our_errors, subvolume_id
from zonehost.errors import ZonehostError
from zonehost.linux import inotify
from zonehost.linux.inotify import Inotify
from zonehost.ports.supervisor import CHILDREN

log = logging.getLogger(__name__)

DEFAULT: Final = 256
"""The limit of a volume that is delegated without one."""
_CHANGES: Final = inotify.CREATE | inotify.MOVED_TO
_SUBVOLUME_INODE: Final = 256
"""The inode number of a subvolume's folder (BTRFS_FIRST_FREE_OBJECTID)."""


class Delegations:
    """The delegated volumes of one pool."""

    def __init__(self, subvolumes: Subvolumes) -> None:
        self._subvolumes = subvolumes
        self._inotify: Inotify | None = None
        self._watched: dict[int, tuple[Path, Path]] = {}
        """By the number of the watch: the volume, and the folder in it."""
        self._some = asyncio.Event()

    def delegate(self, volume: Path, children: int) -> None:
        """Let at most so many subvolumes be inside a volume, snapshots among them."""
        os.setxattr(volume, CHILDREN, str(children).encode())
        self._watch(volume, volume / "_data")

    def find(self, volumes: Path) -> None:
        """Watch those again that an earlier daemon delegated."""
        for volume in volumes.iterdir():
            if _limit(volume):
                self._watch(volume, volume / "_data")
                self._bound(volume)

    async def tend(self) -> None:
        """Keep the limits, for ever."""
        await self._some.wait()
        assert self._inotify is not None
        while True:
            volumes: dict[Path, None] = {}
            for event in await self._inotify.read():
                if event.mask & inotify.IGNORED:
                    self._watched.pop(event.watch, None)
                elif event.watch in self._watched:
                    volume, folder = self._watched[event.watch]
                    self._watch(volume, folder / event.name)
                    volumes[volume] = None
            for volume in volumes:
                self._bound(volume)

    def _bound(self, volume: Path) -> None:
        """Destroy what is too many; a failure is told, and tried again with the next change."""
        try:
            with our_errors(f"bound the volume {volume.name}"):
                limit = _limit(volume)
                inner = self._subvolumes.inner(subvolume_id(volume)) if limit else []
                for surplus in sorted(inner, reverse=True)[: max(0, len(inner) - limit)]:
                    log.warning("volume %s may have %d children: one more is destroyed", volume.name, limit)
                    self._subvolumes.destroy_inner(surplus)
        except FileNotFoundError:
            return  # the volume is being removed
        except ZonehostError as error:
            log.error("%s", error)

    def _watch(self, volume: Path, folder: Path) -> None:
        """Watch a volume's folder or a child's; what else is made there is no child."""
        try:
            child = folder.is_dir() and folder.lstat().st_ino == _SUBVOLUME_INODE
            if child or folder.parent == volume:
                if self._inotify is None:
                    self._inotify = Inotify()
                watch = self._inotify.add(folder, _CHANGES | inotify.ONLYDIR | inotify.DONT_FOLLOW)
                self._watched[watch] = (volume, folder)
                self._some.set()
        except OSError as error:
            log.warning("%s of the delegated volume %s is not watched: %s", folder.name, volume.name, error.strerror)


def _limit(volume: Path) -> int:
    """How many may be in it; 0 where it is not delegated."""
    try:
        return int(os.getxattr(volume, CHILDREN))
    except OSError:
        return 0
