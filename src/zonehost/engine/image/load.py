"""`docker load`."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass

from zonehost.domain.failpoint import failpoint
from zonehost.domain.reference import parse_reference
from zonehost.engine.host import Host
from zonehost.engine.image.intake import id_of, take_in
from zonehost.engine.image.sweep import taking_in
from zonehost.engine.telling import tell_image


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """An image that came, and a name that it came with; empty if it has none.

    `before` is the id of the image that had the name, if another one had.
    """

    id: str
    name: str
    before: str = ""


async def load(host: Host, archive: AsyncIterable[bytes]) -> tuple[LoadedImage, ...]:
    """Take in all images of an archive, each named once a name.

    Raises:
        InvalidParameter: it is no image archive, damaged or hostile.
    """
    loaded = []
    async with taking_in(host) as came:
        images = await host.archives.load(archive)
        came.update(layer.diff_id for found in images for layer in found.layers)
        failpoint("load.unpacked")
        for found in images:
            names = [parse_reference(name).tagged() for name in found.names]
            before = {name: tag.image for name in names if (tag := host.images.tagged(name.canonical)) is not None}
            new = [name for name in names if before.get(name) != id_of(found.config)]
            image = await take_in(host, found.config, found.layers, new)
            tell_image(host, "load", image)
            loaded += [
                LoadedImage(image.id, name.familiar, before.get(name, "") if name in new else "") for name in names
            ] or [LoadedImage(image.id, "")]
    return tuple(loaded)
