"""`docker system df`: what uses how much of the disk."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.domain.phase import Phase
from zonehost.domain.volume import Volume
from zonehost.engine.container.listing import Listed, ListRequest, list_containers
from zonehost.engine.host import Host
from zonehost.engine.image.listing import ImageListRequest, ImageSummary, list_images
from zonehost.engine.volume.users import reference_counts


@dataclass(frozen=True, slots=True)
class VolumeUsage:
    """A volume, where it is, the bytes in it, and how many containers mount it."""

    volume: Volume
    mountpoint: str
    size: int
    references: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUsage:
    """Bytes, and the things that hold them; empty where they were not asked for."""

    layers_size: int
    images: tuple[ImageSummary, ...]
    containers: tuple[Listed, ...]
    volumes: tuple[VolumeUsage, ...]


async def disk_usage(host: Host, types: frozenset[str]) -> DiskUsage:
    """The use of `container`, `image` and `volume`; no types means all."""
    wanted = types or frozenset({"container", "image", "volume"})
    return DiskUsage(
        layers_size=_layers_size(host) if "image" in wanted else 0,
        images=await list_images(host, ImageListRequest(shared_size=True)) if "image" in wanted else (),
        containers=(await list_containers(host, ListRequest(all=True, size=True)) if "container" in wanted else ()),
        volumes=await _volumes(host) if "volume" in wanted else (),
    )


def _layers_size(host: Host) -> int:
    layers = (host.layers.get(diff_id) for diff_id in host.images.layers_in_use())
    return sum(layer.size for layer in layers if layer is not None)


async def _volumes(host: Host) -> tuple[VolumeUsage, ...]:
    volumes = [volume for volume in host.volumes if volume.phase is Phase.WHOLE]
    usage = await host.storage.volume_usage(volume.name for volume in volumes)
    references = reference_counts(host)
    return tuple(
        VolumeUsage(
            volume=volume,
            mountpoint=host.storage.volume_path(volume.name),
            size=usage[volume.name].used if volume.name in usage else -1,
            references=references[volume.name],
        )
        for volume in volumes
    )
