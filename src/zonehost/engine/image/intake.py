"""An image enters the registry: from an archive, a registry, a build or a container."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from zonehost.domain.failpoint import failpoint
from zonehost.domain.image import Image, Layer, Tag
from zonehost.domain.reference import Reference
from zonehost.engine.host import Host
from zonehost.engine.together import to_the_end
from zonehost.ports.records import Put


def id_of(config: bytes) -> str:
    """The id of the image with this configuration."""
    return f"sha256:{hashlib.sha256(config).hexdigest()}"


async def take_in(
    host: Host, config: bytes, layers: Iterable[Layer], names: Iterable[Reference] = (), *, parent: str = ""
) -> Image:
    """Make the record of an image whose layers are in the pool, and point the names to it; durable on return.

    Call within `taking_in()`. An image that is here already keeps its record.
    """
    layers = tuple(layers)
    image_id = id_of(config)
    await host.layers.settle(tuple(layer.diff_id for layer in layers))
    now = host.clock.now()
    known = host.images.get(image_id)
    image = known or Image(
        id=image_id,
        config=config,
        layers=tuple(layer.diff_id for layer in layers),
        size=sum(layer.size for layer in layers),
        added=now,
        parent=parent,
    )
    host.images.config_of(image)
    tags = [Tag(name=name.canonical, image=image.id, tagged=now) for name in names]
    # A pull or a build ends with its client, at any moment.
    await to_the_end(_record(host, image, tags, new=known is None))
    return image


async def _record(host: Host, image: Image, tags: Sequence[Tag], *, new: bool) -> None:
    failpoint("image.layered")
    await host.records.commit(*([Put(image)] if new else []), *map(Put, tags))
    host.images.add(image)
    for tag in tags:
        host.images.put_tag(tag)
    failpoint("image.recorded")
