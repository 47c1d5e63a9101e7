"""`docker image prune`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zonehost.domain.filters import Filters
from zonehost.engine.host import Host
from zonehost.engine.image.listing import ImageListRequest, list_images
from zonehost.engine.image.remove import Removed, remove
from zonehost.engine.telling import tell_prune
from zonehost.errors import Conflict, NotFound

_KNOWN: Final = frozenset({"dangling", "until", "label", "label!"})


@dataclass(frozen=True, slots=True)
class PrunedImages:
    """What went, and the bytes that came back."""

    removed: tuple[Removed, ...]
    space: int


async def prune(host: Host, filters: Filters) -> PrunedImages:
    """Remove images that no container uses: those without a name, or with `dangling=false` all.

    Raises:
        InvalidParameter: a filter is unknown or badly written.
    """
    filters.accept(_KNOWN)
    everything = filters.flag("dangling") is False
    others = Filters({name: filters.get(name) for name in filters.names() if name != "dangling"})
    before = _layer_bytes(host)
    removed: list[Removed] = []
    for summary in await list_images(host, ImageListRequest(all=True, filters=others)):
        image = summary.image
        named = host.images.tags_of(image.id)
        used = any(record.image == image.id for record in host.containers.records())
        if used or (named and not everything):
            continue
        try:
            for ref in [tag.name for tag in named] or [image.id]:
                removed += await remove(host, ref, force=False, prune=True)
        except (Conflict, NotFound):
            continue  # it came into use, or went with another, since the list was made
    space = before - _layer_bytes(host)
    tell_prune(host, "image", space)
    return PrunedImages(tuple(removed), space)


def _layer_bytes(host: Host) -> int:
    layers = (host.layers.get(diff_id) for diff_id in host.images.layers_in_use())
    return sum(layer.size for layer in layers if layer is not None)
