"""`docker save`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from zonehost.domain.image import Image
from zonehost.domain.reference import parse_reference
from zonehost.engine.host import Host
from zonehost.engine.image.names import DIGEST_ALGORITHM
from zonehost.engine.telling import tell_image
from zonehost.errors import InvalidParameter, SystemFailure
from zonehost.ports.archives import ArchivedImage


async def save(host: Host, refs: Sequence[str]) -> AsyncIterator[bytes]:
    """An archive of the images, each with the names by which it was asked for.

    A repository without a tag stands for all its tags, as in Docker.

    Raises:
        NotFound: one is not there; before the first byte.
    """
    wanted: dict[str, tuple[Image, list[str]]] = {}
    for ref in refs:
        for image, name in _named(host, ref):
            _, names = wanted.setdefault(image.id, (image, []))
            if name and name not in names:
                names.append(name)
    archived = [_archived(host, image, tuple(names)) for image, names in wanted.values()]
    for image, _ in wanted.values():
        tell_image(host, "save", image)
    return host.archives.save(archived)


def _named(host: Host, ref: str) -> list[tuple[Image, str]]:
    try:
        name = parse_reference(ref)
    except InvalidParameter:
        return [(host.images.find(ref), "")]
    if name.familiar_repository == DIGEST_ALGORITHM:
        return [(host.images.find(ref), "")]
    if name.tag or name.digest:
        return [(host.images.find(ref), name.familiar if name.tag else "")]
    all_tags = [
        (tagged, other.familiar)
        for tag in host.images.tags()
        if (other := parse_reference(tag.name)).repository == name.repository
        and other.tag
        and (tagged := host.images.get(tag.image)) is not None
    ]
    return all_tags or [(host.images.find(ref), "")]


def _archived(host: Host, image: Image, names: tuple[str, ...]) -> ArchivedImage:
    layers = []
    for diff_id in image.layers:
        layer = host.layers.get(diff_id)
        if layer is None:
            raise SystemFailure(f"image {image.id}: its layer {diff_id} is missing from the pool")
        layers.append(layer)
    return ArchivedImage(config=image.config, layers=tuple(layers), names=names)
