"""Image archives: what `docker save` writes and `docker load` reads."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from zonehost.domain.image import Layer


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """An image in an archive: its configuration to the byte, its layers lowest first, its full names."""

    config: bytes
    layers: tuple[Layer, ...]
    names: tuple[str, ...]
    """As in the archive: busybox:latest, registry.example/a/b:1."""


class Archives(Protocol):
    """Reads and writes archives of images; layers go to and come from the pool of the same instance."""

    async def load(self, archive: AsyncIterable[bytes]) -> tuple[ArchivedImage, ...]:
        """Take in all images of an archive in one pass (docker-archive old and new, OCI layout; compressed or not).

        Its layers are in the pool when this returns; no image record is made.

        Raises:
            InvalidParameter: not such an archive, damaged or hostile; layers that it brought may stay, unreferenced.
        """

    def save(self, images: Sequence[ArchivedImage]) -> AsyncIterator[bytes]:
        """An archive of these images, with an OCI layout and a manifest.json in it, as Docker 25 and later write."""
