"""Datasets as plain directories, on any file system that can carry an overlay's upper layer.

It knows no quotas, snapshots or clones, and says so by name. Sizes are found by walking the tree.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from zonehost.drivers.storage.places import place
from zonehost.errors import InvalidParameter, SystemFailure, Unsupported
from zonehost.linux.tree_removal import remove_tree
from zonehost.ports.storage import Usage

_ZONE_PARTS = ("root/upper", "root/work", "etc", "log")
_POOL_OPTIONS = frozenset({"size", "from", "from-image", "delegated", "children", "nodatacow"})


class DirectoryStorage:
    """`ports.storage.Storage` below `zones/` and `volumes/` of the data root."""

    name = "directory"

    def __init__(self, data_root: Path) -> None:
        self._zones = data_root / "zones"
        self._volumes = data_root / "volumes"
        for folder in (self._zones, self._volumes):
            folder.mkdir(parents=True, exist_ok=True, mode=0o711)

    async def create_zone(self, zone: str, *, quota: int = 0) -> str:
        """Make the directories of a zone.

        Raises:
            Unsupported: a quota is asked for.
        """
        if quota:
            raise Unsupported("storage option size: the storage driver directory has no quotas")
        dataset = place(self._zones, zone)
        with _foreign_errors(f"make the dataset of zone {zone}"):
            for part in _ZONE_PARTS:
                (dataset / part).mkdir(parents=True, exist_ok=True)
        return str(dataset)

    async def write_etc(self, zone: str, files: Mapping[str, str]) -> None:
        """Write files into a zone's etc directory; they are few and small."""
        with _foreign_errors(f"write the files in etc of zone {zone}"):
            for name, text in files.items():
                (place(self._zones, zone) / "etc" / name).write_text(text)

    async def remove_zone(self, zone: str) -> None:
        """Remove a zone's directories, off the event loop: a tree can be large."""
        await _remove(self._zones, zone)

    async def limit_zone(self, zone: str, quota: int) -> None:
        """Refused: there are no quotas.

        Raises:
            Unsupported: always.
        """
        raise Unsupported(f"the size of zone {zone}: the storage driver directory has no quotas")

    async def create_volume(self, name: str, *, options: dict[str, str], zone: str = "") -> str:
        """Make the directory of a volume.

        Raises:
            InvalidParameter: an unknown option.
            Unsupported: an option of other storage drivers.
        """
        for option in options:
            if option in _POOL_OPTIONS:
                raise Unsupported(f"volume option {option}: the storage driver directory does not have it")
            raise InvalidParameter(f'create {name}: invalid option: "{option}"')
        content = place(self._volumes, name) / "_data"
        with _foreign_errors(f"make the dataset of volume {name}"):
            content.mkdir(parents=True, exist_ok=True, mode=0o755)
        return str(content)

    async def tend(self) -> None:
        """Nothing to be kept: there are no limits."""

    async def remove_volume(self, name: str) -> None:
        """Remove a volume's directory."""
        await _remove(self._volumes, name)

    def zone_path(self, zone: str) -> str:
        """data root/zones/ID."""
        return str(place(self._zones, zone))

    def volume_path(self, name: str) -> str:
        """data root/volumes/NAME/_data."""
        return str(place(self._volumes, name) / "_data")

    async def zone_usage(self, zones: Iterable[str]) -> dict[str, Usage]:
        """Bytes below each zone's upper directory."""
        return await asyncio.to_thread(_usages, zones, lambda zone: place(self._zones, zone) / "root" / "upper")

    async def volume_usage(self, names: Iterable[str]) -> dict[str, Usage]:
        """Bytes below each volume's content."""
        return await asyncio.to_thread(_usages, names, lambda name: place(self._volumes, name) / "_data")

    async def survey(self) -> tuple[frozenset[str], frozenset[str]]:
        """What has a directory."""
        return _names(self._zones), _names(self._volumes)


class _foreign_errors:
    """Turns what the file system says into ours."""

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise SystemFailure(f"cannot {self._doing}: {error}") from error


async def _remove(parent: Path, name: str) -> None:
    # Renamed first: what is half removed when the power fails is not taken for a whole dataset, and is swept.
    dataset, doomed = place(parent, name), place(parent, f".removing-{name}")
    with _foreign_errors(f"remove the dataset {name}"):
        if dataset.exists():
            dataset.rename(doomed)
        if doomed.exists():
            await asyncio.to_thread(remove_tree, doomed)


def _names(parent: Path) -> frozenset[str]:
    return frozenset(entry.name.removeprefix(".removing-") for entry in parent.iterdir() if entry.is_dir())


def _usages(names: Iterable[str], place: Callable[[str], Path]) -> dict[str, Usage]:
    found = {name: place(name) for name in names}
    return {name: Usage(_bytes_below(path), 0) for name, path in found.items() if path.is_dir()}


def _bytes_below(top: Path) -> int:
    total = 0
    seen: set[int] = set()
    for folder, _, files in os.walk(top):
        for file in files:
            try:
                status = os.lstat(f"{folder}/{file}")
            except FileNotFoundError:
                continue  # removed by the zone while we look
            if status.st_nlink == 1 or status.st_ino not in seen:
                seen.add(status.st_ino)
                total += status.st_size
    return total
