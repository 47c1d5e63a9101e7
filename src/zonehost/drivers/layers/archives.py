"""Implements `ports.archives` on a pool of layers."""

from __future__ import annotations

import platform
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import Final

import msgspec

from zonehost.domain.image import Layer
from zonehost.domain.platform import machine_platform
from zonehost.drivers.layers.jobs import Loading, Saving
from zonehost.drivers.layers.load import LoadedImage, LoadedLayer
from zonehost.drivers.layers.pool import LayerPool
from zonehost.errors import SystemFailure
from zonehost.linux import jobs
from zonehost.linux.forkserver import ForkServer
from zonehost.ports.archives import ArchivedImage

_JOBS: Final = "zonehost.drivers.layers.jobs"


class LayerArchives:
    """Archives of images whose layers are in the pool."""

    def __init__(self, pool: LayerPool, forks: ForkServer) -> None:
        self._pool = pool
        self._forks = forks

    async def load(self, archive: AsyncIterable[bytes]) -> tuple[ArchivedImage, ...]:
        """Take in all images of an archive in one pass."""
        async with self._pool.aside() as folder:
            architecture = machine_platform(platform.machine()).architecture
            arguments = Loading(
                folder=folder, known=self._pool.diff_ids(), bounds=self._pool.bounds, architecture=architecture
            )
            told = await jobs.run(self._forks, f"{_JOBS}:load", msgspec.to_builtins(arguments), archive=archive)
            images = msgspec.convert(told, tuple[LoadedImage, ...])
            return tuple(
                ArchivedImage(config=image.config, layers=tuple(map(self._adopted, image.layers)), names=image.names)
                for image in images
            )

    def save(self, images: Sequence[ArchivedImage]) -> AsyncIterator[bytes]:
        """An archive of these images, as Docker 25 and later write."""
        folders = {layer.diff_id: self._pool.folder(layer.diff_id) for image in images for layer in image.layers}
        arguments = Saving(images=tuple(images), folders=folders)
        return jobs.stream(self._forks, f"{_JOBS}:save", msgspec.to_builtins(arguments))

    def _adopted(self, loaded: LoadedLayer) -> Layer:
        if loaded.facts is not None:
            return self._pool.adopt(loaded.folder, loaded.facts)
        layer = self._pool.get(loaded.diff_id)
        if layer is None:
            raise SystemFailure(f"layer {loaded.diff_id} was removed while an archive with it was loaded")
        return layer
