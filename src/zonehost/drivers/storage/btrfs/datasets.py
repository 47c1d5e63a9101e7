"""The storage driver of the pool: a zone's dataset and a volume are subvolumes, their quotas are quota groups.

A zone's group counts its root, its log and its anonymous volumes together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from zonehost.domain.log_config import parse_size
from zonehost.drivers.storage.btrfs.blank import Blank
from zonehost.drivers.storage.btrfs.delegation import DEFAULT, Delegations
from zonehost.drivers.storage.btrfs.pool import Pool
from zonehost.drivers.storage.btrfs.subvolumes import Subvolumes, our_errors
from zonehost.drivers.storage.places import place
from zonehost.errors import InvalidParameter, Unsupported
from zonehost.ports.storage import Usage
from zonehost.ports.supervisor import VOLUMES

_ZONE_PARTS: Final = ("root/upper", "root/work", "etc", "log")


_EMPTY: Final = 16384
"""Bytes of an empty subvolume: the one node of its tree, which is no content."""


class BtrfsStorage:
    """`ports.storage.Storage` on a pool."""

    name = "btrfs"

    def __init__(self, pool: Pool, subvolumes: Subvolumes, blank: Blank) -> None:
        self._pool = pool
        self._subvolumes = subvolumes
        self._blank = blank
        self._delegations = Delegations(subvolumes)
        self._zones = pool.root / "zones"
        self._volumes = pool.root / VOLUMES
        for folder in (self._zones, self._volumes):
            folder.mkdir(exist_ok=True, mode=0o711)
        with our_errors("look for quota groups that nothing needs"):
            subvolumes.find_leaving(place for folder in (self._zones, self._volumes) for place in folder.iterdir())
            subvolumes.sweep()
            self._delegations.find(self._volumes)

    async def create_zone(self, zone: str, *, quota: int = 0) -> str:
        """A subvolume with the zone's directories in it."""
        dataset = place(self._zones, zone)
        with our_errors(f"make the dataset of zone {zone}"):
            await asyncio.to_thread(self._blank.become, dataset)
            self._subvolumes.limit(dataset, quota)
            for part in _ZONE_PARTS:
                (dataset / part).mkdir(parents=True, exist_ok=True)
        return str(dataset)

    async def write_etc(self, zone: str, files: Mapping[str, str]) -> None:
        """Write files into a zone's etc directory; they are few and small."""
        with our_errors(f"write the files in etc of zone {zone}"):
            for name, text in files.items():
                (place(self._zones, zone) / "etc" / name).write_text(text)

    async def limit_zone(self, zone: str, quota: int) -> None:
        """Change the limit of the zone's group."""
        with our_errors(f"change the quota of zone {zone}"):
            self._subvolumes.limit(place(self._zones, zone), quota)

    async def remove_zone(self, zone: str) -> None:
        """Destroy the subvolume; the pool takes its space back by itself."""
        await self._remove(place(self._zones, zone))

    async def create_volume(self, name: str, *, options: dict[str, str], zone: str = "") -> str:
        """A subvolume whose `_data` is the volume's content.

        The option `size` is its quota; with `delegated` a zone may have `children` subvolumes inside; files of one with
        `nodatacow` are written in place.

        Raises:
            InvalidParameter: an unknown option, or a value that cannot be.
            Unsupported: it shall be delegated, and the mount of the host's btrfs does not let zones destroy.
        """
        for option in options:
            if option not in ("size", "delegated", "children", "nodatacow"):
                raise InvalidParameter(f'create {name}: invalid option: "{option}"')
        quota = parse_size(options["size"], "size") if "size" in options else 0
        children = self._children(options)
        in_place = _flag(options, "nodatacow")
        volume = place(self._volumes, name)
        content = volume / "_data"
        with our_errors(f"make the dataset of volume {name}"):
            self._subvolumes.create(volume, within=place(self._zones, zone) if zone else None)
            self._subvolumes.limit(volume, quota)
            content.mkdir(exist_ok=True, mode=0o755)
            if in_place:
                self._subvolumes.write_in_place(content)
            if children:
                self._delegations.delegate(volume, children)
        return str(content)

    async def tend(self) -> None:
        """Keep the limits of delegated volumes, and the blank above the layers."""
        await asyncio.gather(self._delegations.tend(), self._blank.tend())

    async def remove_volume(self, name: str) -> None:
        """Destroy the subvolume."""
        await self._remove(place(self._volumes, name))

    def zone_path(self, zone: str) -> str:
        """pool/zones/ID."""
        return str(place(self._zones, zone))

    def volume_path(self, name: str) -> str:
        """pool/volumes/NAME/_data."""
        return str(place(self._volumes, name) / "_data")

    async def zone_usage(self, zones: Iterable[str]) -> dict[str, Usage]:
        """From the pool's accounting: what the zone wrote, its log and its anonymous volumes with it."""
        return await asyncio.to_thread(self._usage, {zone: place(self._zones, zone) for zone in zones})

    async def volume_usage(self, names: Iterable[str]) -> dict[str, Usage]:
        """From the pool's accounting."""
        return await asyncio.to_thread(self._usage, {name: place(self._volumes, name) for name in names})

    async def survey(self) -> tuple[frozenset[str], frozenset[str]]:
        """What has a subvolume."""
        with our_errors("look for the datasets in the pool"):
            return (
                frozenset(entry.name for entry in self._zones.iterdir()),
                frozenset(entry.name for entry in self._volumes.iterdir()),
            )

    def _children(self, options: Mapping[str, str]) -> int:
        """How many subvolumes may be in a volume of these options; 0 where it is not delegated."""
        if not _flag(options, "delegated"):
            if "children" in options:
                raise InvalidParameter("volume option children: only a volume with delegated=true has them")
            return 0
        text = options.get("children", str(DEFAULT))
        if not text.isdecimal() or int(text) < 1:
            raise InvalidParameter(f'volume option children: "{text}" is no number above 0')
        if not self._pool.delegates:
            raise Unsupported(
                "volume option delegated: mount the file system of the data root with user_subvol_rm_allowed first"
            )
        return int(text)

    def _usage(self, datasets: dict[str, Path]) -> dict[str, Usage]:
        with our_errors("read the pool's accounting"):
            groups = self._subvolumes.settled_usage()
        found = {}
        for name, path in datasets.items():
            group = groups.get(self._subvolumes.group(path))
            if group is not None and path.exists():
                found[name] = Usage(max(0, group.referenced - _EMPTY), group.limit)
        return found

    async def _remove(self, path: Path) -> None:
        with our_errors(f"remove the dataset {path.name}"):
            await asyncio.to_thread(self._subvolumes.destroy, path)


def _flag(options: Mapping[str, str], name: str) -> bool:
    text = options.get(name, "false")
    if text not in ("true", "false"):
        raise InvalidParameter(f'volume option {name}: "{text}" is neither true nor false')
    return text == "true"
