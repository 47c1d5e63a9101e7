"""Datasets: where a zone's writable root and a volume's content live.

A driver refuses by name (Unsupported) what its file system cannot do. Removal is idempotent and complete: what is
interrupted is finished by calling it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes that a dataset holds, and its quota (0: none)."""

    used: int
    quota: int


class Storage(Protocol):
    """One pool of datasets."""

    name: str
    """The driver's name, as `docker info` shows it."""

    async def create_zone(self, zone: str, *, quota: int = 0) -> str:
        """Make the dataset of a zone, with root/upper, root/work, etc and log in it; its host path. Idempotent."""

    async def write_etc(self, zone: str, files: Mapping[str, str]) -> None:
        """Write files (by name) into the etc directory of a zone's dataset, in place: a zone may have them mounted."""

    async def remove_zone(self, zone: str) -> None:
        """Remove it with all in it. Idempotent."""

    async def limit_zone(self, zone: str, quota: int) -> None:
        """Let a zone hold at most `quota` bytes from now on; 0 lifts the limit.

        Raises:
            Unsupported: the driver has no quotas.
        """

    async def create_volume(self, name: str, *, options: dict[str, str], zone: str = "") -> str:
        """Make the dataset of a volume; the host path of its content. Idempotent.

        What it holds counts against the quota of `zone` too, if one is given.

        Raises:
            InvalidParameter: an option is unknown or badly written.
            Unsupported: an option that this driver knows of and cannot do.
        """

    async def tend(self) -> None:
        """Keep, as long as it runs, those limits that the file system does not keep by itself.

        What a zone of a new image would have to wait for may be done meanwhile, too.
        """

    async def remove_volume(self, name: str) -> None:
        """Remove it with all in it. Idempotent."""

    def zone_path(self, zone: str) -> str:
        """The host path of a zone's dataset, whether it exists or not."""

    def volume_path(self, name: str) -> str:
        """The host path of a volume's content (Docker's Mountpoint), whether it exists or not."""

    async def zone_usage(self, zones: Iterable[str]) -> dict[str, Usage]:
        """What each zone's root holds; a zone that is gone is left out."""

    async def volume_usage(self, names: Iterable[str]) -> dict[str, Usage]:
        """What each volume holds; a volume that is gone is left out."""

    async def survey(self) -> tuple[frozenset[str], frozenset[str]]:
        """Zones and volumes that have a dataset, half-made ones too."""
