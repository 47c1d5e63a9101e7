"""Subvolumes of a pool and the quota groups that count them. Which of them is a zone's or a volume's is not known here.

Every dataset has a group of level 1, numbered by a hash of its place, which outlives the subvolumes that come and go in
that place (a rollback puts another one there). The kernel puts subvolumes that are made inside a member into the same
groups, so nothing below a dataset escapes its limit.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from zonehost.errors import InvalidParameter, SystemFailure
from zonehost.linux import btrfs

log = logging.getLogger(__name__)

_LEVEL_1: Final = 1 << 48
_TOP: Final = 5
"""The subvolume that every other one is in (BTRFS_FS_TREE_OBJECTID)."""


class Subvolumes:
    """Makes and destroys them below one folder of a pool. Each call is short; none waits for space to come back."""

    def __init__(self, root: Path, descriptor: int) -> None:
        self._root = root
        self._pool = descriptor
        self._leaving: set[int] = set()
        """Groups whose subvolumes are gone, and which the kernel still holds."""
        self._displaced: dict[Path, Future[None]] = {}
        self._destroyer = ThreadPoolExecutor(1, "destroyer")

    def create(self, path: Path, *, within: Path | None = None) -> None:
        """Make an empty subvolume, counted in its own group and in that of `within`. Idempotent."""
        groups = self._groups(path, within)
        with _directory(path.parent) as parent:
            try:
                btrfs.create_subvolume(parent, path.name, groups)
            except FileExistsError:
                return

    def snapshot(
        self,
        source: Path,
        path: Path,
        *,
        readonly: bool = False,
        place: Path | None = None,
        within: Path | None = None,
    ) -> None:
        """Make `path` a snapshot of the subvolume `source`, counted as what belongs to `place`, if one is given."""
        groups = self._groups(place, within) if place is not None else ()
        with _directory(path.parent) as parent, _directory(source) as subvolume:
            btrfs.snapshot(subvolume, parent, path.name, readonly=readonly, groups=groups)

    def destroy(self, path: Path) -> None:
        """Destroy the subvolume, all that are in it or were displaced from its place, and its group. Idempotent."""
        self.settle(path)
        try:
            subvolume = subvolume_id(path)
        except FileNotFoundError:
            return
        if self.inner(subvolume):
            # The kernel wants to write to a subvolume whose inner ones go, which at its limit it may not.
            for group in btrfs.groups_above(self._pool, subvolume):
                btrfs.leave_group(self._pool, subvolume, group)
            self._destroy_inner(subvolume)
        with _directory(path.parent) as parent:
            btrfs.destroy_subvolume(parent, path.name)
        self._leaving |= {subvolume, self.group(path)}
        self.sweep()

    def destroy_displaced(self, path: Path, place: Path) -> None:
        """Destroy the subvolume, which another one took the `place` of, without waiting for it.

        The kernel gives up all that is cached of its files first: 2 s for 10 GB in 100,000 files.
        """
        self._displaced[place] = self._destroyer.submit(self._destroy_aside, path)

    def settle(self, place: Path) -> None:
        """Return when nothing is left of what was displaced from the place."""
        displaced = self._displaced.pop(place, None)
        if displaced is not None:
            displaced.result()

    def destroy_inner(self, subvolume: int) -> None:
        """Destroy one that was made inside a dataset, with all that are in it."""
        self._destroy_inner(subvolume)
        btrfs.destroy_by_id(self._pool, subvolume)
        self._leaving.add(subvolume)

    def inner(self, subvolume: int) -> list[int]:
        """Ids of all that are in a subvolume, at any depth."""
        return list(self._living(subvolume))

    def limit(self, path: Path, quota: int) -> None:
        """Let the dataset at `path` hold at most `quota` bytes; 0 lifts the limit."""
        btrfs.limit_group(self._pool, self.group(path), quota)

    def write_in_place(self, folder: Path) -> None:
        """Have files that are made in the folder from now on be written in place, without copies and checksums."""
        with _directory(folder) as descriptor:
            btrfs.write_in_place(descriptor)

    def usage(self) -> dict[int, btrfs.QuotaGroup]:
        """What every group holds, by its number."""
        return btrfs.quota_groups(self._pool)

    def settled_usage(self) -> dict[int, btrfs.QuotaGroup]:
        """As `usage`, with what was written up to now: the kernel counts as it commits, else every 30 seconds."""
        btrfs.commit(self._pool)
        return self.usage()

    def group(self, path: Path) -> int:
        """The number of a dataset's group."""
        digest = hashlib.sha256(os.fsencode(path.relative_to(self._root))).digest()
        return _LEVEL_1 | int.from_bytes(digest[:6])

    def find_leaving(self, present: Iterator[Path]) -> None:
        """Note every group that belongs to nothing that is there, as an earlier daemon may have left them."""
        kept = {self.group(path) for path in present} | set(self._living(_TOP))
        self._leaving |= {group for group in self.usage() if group > _TOP and group not in kept}

    def sweep(self) -> None:
        """Remove the groups that the kernel has let go of: it does so only some time after the subvolumes are gone."""
        for group in sorted(self._leaving):
            if btrfs.destroy_group(self._pool, group):
                self._leaving.discard(group)

    def _destroy_aside(self, path: Path) -> None:
        try:
            self.destroy(path)
        except OSError as error:
            log.error("%s stays until the next start: %s", path, error.strerror)

    def _groups(self, place: Path, within: Path | None) -> tuple[int, ...]:
        own = self.group(place)
        self._leaving.discard(own)
        btrfs.create_group(self._pool, own)
        return (own,) if within is None else (own, self.group(within))

    def _destroy_inner(self, subvolume: int) -> None:
        for inner in btrfs.subvolumes_in(self._pool, subvolume):
            self.destroy_inner(inner)

    def _living(self, subvolume: int) -> Iterator[int]:
        for inner in btrfs.subvolumes_in(self._pool, subvolume):
            yield inner
            yield from self._living(inner)


def subvolume_id(path: Path) -> int:
    """The id of the subvolume at `path`. Raises FileNotFoundError if nothing is there."""
    with _directory(path) as descriptor:
        return btrfs.subvolume_info(descriptor).id


@contextmanager
def our_errors(doing: str) -> Iterator[None]:
    """Turns what the kernel says into our errors."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise InvalidParameter(f"cannot {doing}: {error}") from error
        raise SystemFailure(f"cannot {doing}: {error}") from error


@contextmanager
def _directory(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
