"""The storage driver of the pool: a zone's dataset and a volume are subvolumes, their quotas are quota groups.

A zone's group (level 1, numbered by its subvolume) counts its root, its log and its anonymous volumes together.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from zonehost.domain.log_config import parse_size
from zonehost.drivers.storage.btrfs.pool import Pool
from zonehost.errors import InvalidParameter, SystemFailure
from zonehost.linux import btrfs
from zonehost.ports.storage import Usage

_ZONE_PARTS: Final = ("root/upper", "root/work", "etc", "log")
_LEVEL_1: Final = 1 << 48


class BtrfsStorage:
    """`ports.storage.Storage` on a pool."""

    name = "btrfs"

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._zones = pool.root / "zones"
        self._volumes = pool.root / "volumes"
        for folder in (self._zones, self._volumes):
            folder.mkdir(exist_ok=True, mode=0o711)

    async def create_zone(self, zone: str, *, quota: int = 0) -> str:
        """A subvolume with the zone's directories in it."""
        dataset = self._zones / zone
        with _ours(f"make the dataset of zone {zone}"):
            _ensure_subvolume(dataset)
            for part in _ZONE_PARTS:
                (dataset / part).mkdir(parents=True, exist_ok=True)
            if quota:
                self._limit_zone(dataset, quota)
        return str(dataset)

    async def write_etc(self, zone: str, files: Mapping[str, str]) -> None:
        """Write files into a zone's etc directory; they are few and small."""
        with _ours(f"write the files in etc of zone {zone}"):
            for name, text in files.items():
                (self._zones / zone / "etc" / name).write_text(text)

    async def remove_zone(self, zone: str) -> None:
        """Destroy the subvolume; the pool takes its space back by itself."""
        await self._remove(self._zones / zone)

    async def create_volume(self, name: str, *, options: dict[str, str]) -> str:
        """A subvolume whose `_data` is the volume's content; the option `size` is its quota.

        Raises:
            InvalidParameter: an unknown option, or no size.
        """
        for option in options:
            if option != "size":
                raise InvalidParameter(f'create {name}: invalid option: "{option}"')
        volume = self._volumes / name
        content = volume / "_data"
        with _ours(f"make the dataset of volume {name}"):
            _ensure_subvolume(volume)
            content.mkdir(exist_ok=True, mode=0o755)
            if "size" in options:
                btrfs.limit_group(self._pool.descriptor, _subvolume_id(volume), parse_size(options["size"], "size"))
        return str(content)

    async def remove_volume(self, name: str) -> None:
        """Destroy the subvolume."""
        await self._remove(self._volumes / name)

    def zone_path(self, zone: str) -> str:
        """pool/zones/ID."""
        return str(self._zones / zone)

    def volume_path(self, name: str) -> str:
        """pool/volumes/NAME/_data."""
        return str(self._volumes / name / "_data")

    async def zone_usage(self, zones: Iterable[str]) -> dict[str, Usage]:
        """From the pool's accounting: what the zone wrote, its log with it; of its group, where it has one."""
        return self._usage({zone: self._zones / zone for zone in zones})

    async def volume_usage(self, names: Iterable[str]) -> dict[str, Usage]:
        """From the pool's accounting."""
        return self._usage({name: self._volumes / name for name in names})

    async def survey(self) -> tuple[frozenset[str], frozenset[str]]:
        """What has a subvolume."""
        return (
            frozenset(entry.name for entry in self._zones.iterdir()),
            frozenset(entry.name for entry in self._volumes.iterdir()),
        )

    def _limit_zone(self, dataset: Path, quota: int) -> None:
        pool, subvolume = self._pool.descriptor, _subvolume_id(dataset)
        group = _LEVEL_1 | subvolume
        btrfs.create_group(pool, group)
        btrfs.assign_group(pool, subvolume, group)
        btrfs.limit_group(pool, group, quota)

    def _sweep_groups(self) -> None:
        """Remove the groups of zones that are gone. The kernel lets go of a member only some time after its removal."""
        groups = btrfs.quota_groups(self._pool.descriptor)
        for group in groups:
            if group > _LEVEL_1 and group & ~_LEVEL_1 not in groups:
                btrfs.destroy_group(self._pool.descriptor, group)

    def _usage(self, datasets: dict[str, Path]) -> dict[str, Usage]:
        groups = btrfs.quota_groups(self._pool.descriptor)
        found = {}
        for name, path in datasets.items():
            try:
                subvolume = _subvolume_id(path)
            except FileNotFoundError:
                continue
            group = groups.get(_LEVEL_1 | subvolume) or groups.get(subvolume)
            found[name] = Usage(group.referenced, group.limit) if group else Usage(0, 0)
        return found

    async def _remove(self, path: Path) -> None:
        with _ours(f"remove the dataset {path.name}"):
            try:
                subvolume = _subvolume_id(path)
            except FileNotFoundError:
                return
            parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                await asyncio.to_thread(btrfs.destroy_subvolume, parent, path.name)
            finally:
                os.close(parent)
            self._sweep_groups()


def _ensure_subvolume(path: Path) -> None:
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        btrfs.create_subvolume(parent, path.name)
    except FileExistsError:
        pass
    finally:
        os.close(parent)


def _subvolume_id(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return btrfs.subvolume_info(descriptor).id
    finally:
        os.close(descriptor)


@contextmanager
def _ours(doing: str) -> Iterator[None]:
    """Turns what the kernel says into our errors."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise InvalidParameter(f"cannot {doing}: {error}") from error
        raise SystemFailure(f"cannot {doing}: {error}") from error
