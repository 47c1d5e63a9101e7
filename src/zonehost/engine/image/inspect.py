"""`docker image inspect`."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.domain.image import Image
from zonehost.domain.image_config import ImageConfig
from zonehost.engine.host import Host
from zonehost.engine.image.names import familiar_names


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDetail:
    """An image with its configuration decoded, its names, and where its layers are, lowest first."""

    image: Image
    config: ImageConfig
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    last_tagged: int
    layer_paths: tuple[str, ...]


async def inspect(host: Host, ref: str) -> ImageDetail:
    """All about an image.

    Raises:
        NotFound: there is none.
    """
    image = host.images.find(ref)
    tags, digests = familiar_names(host, image.id)
    return ImageDetail(
        image=image,
        config=host.images.config_of(image),
        tags=tags,
        digests=digests,
        last_tagged=max((tag.tagged for tag in host.images.tags_of(image.id)), default=0),
        layer_paths=tuple(host.layers.path(layer) for layer in image.layers),
    )
