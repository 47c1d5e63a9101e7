"""`docker volume inspect`."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.domain.volume import Volume
from zonehost.engine.host import Host


@dataclass(frozen=True, slots=True)
class VolumeDetail:
    """A volume and the host path of its content."""

    volume: Volume
    mountpoint: str


async def inspect(host: Host, name: str) -> VolumeDetail:
    """All about a volume.

    Raises:
        NotFound: there is none of that name.
    """
    return detail(host, host.volumes.find(name))


def detail(host: Host, volume: Volume) -> VolumeDetail:
    """The volume, with where it is."""
    return VolumeDetail(volume, host.storage.volume_path(volume.name))
