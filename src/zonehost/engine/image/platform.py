"""Whether an image is for the platform that is asked for."""

from __future__ import annotations

from zonehost.domain.image import Image
from zonehost.domain.platform import Platform, machine_platform, parse_platform
from zonehost.engine.host import Host
from zonehost.errors import NotFound


def check_platform(host: Host, image: Image, ref: str, asked: str) -> None:
    """Look whether the image fits an asked platform; an empty one asks for nothing.

    Raises:
        NotFound: it does not, in Docker's words. InvalidParameter: it is no platform.
    """
    if not asked:
        return
    wanted = parse_platform(asked, host_platform(host))
    found = platform_of(host, image)
    if not wanted.runs(found):
        raise NotFound(
            f"image with reference {ref} was found but its platform ({found}) does not match the specified platform "
            f"({wanted})"
        )


def host_platform(host: Host) -> Platform:
    """The platform of this machine."""
    return machine_platform(host.machine.facts.architecture)


def platform_of(host: Host, image: Image) -> Platform:
    """The platform that an image is for."""
    config = host.images.config_of(image)
    found = machine_platform(config.architecture)
    return Platform(config.os or "linux", found.architecture, config.variant or found.variant)
