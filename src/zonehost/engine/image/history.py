"""`docker history`."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.domain.image import Image
from zonehost.domain.image_config import HistoryStep, parse_rfc3339
from zonehost.engine.host import Host
from zonehost.engine.image.names import familiar_names

_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One step; `id` is known for those that are images on this host. Seconds and bytes."""

    id: str
    created: int
    created_by: str
    tags: tuple[str, ...]
    size: int
    comment: str


async def history(host: Host, ref: str) -> tuple[HistoryEntry, ...]:
    """How the image came to be, newest step first.

    Raises:
        NotFound: there is no such image.
    """
    image = host.images.find(ref)
    steps = host.images.config_of(image).history or ()
    sizes = iter([layer.size if (layer := host.layers.get(diff_id)) else 0 for diff_id in image.layers])
    known = _built_here(host, image, len(steps))
    entries = [
        _entry(host, step, known.get(number), 0 if step.empty_layer else next(sizes, 0))
        for number, step in enumerate(steps)
    ]
    return tuple(reversed(entries))


def _entry(host: Host, step: HistoryStep, image: Image | None, size: int) -> HistoryEntry:
    return HistoryEntry(
        id=image.id if image is not None else "<missing>",
        created=parse_rfc3339(step.created) // _SECOND,
        created_by=step.created_by,
        tags=familiar_names(host, image.id)[0] if image is not None else (),
        size=size,
        comment=step.comment,
    )


def _built_here(host: Host, image: Image, steps: int) -> dict[int, Image]:
    """Which step is which image, for the image itself and those that it was built on here."""
    known = {steps - 1: image}
    while image.parent and (parent := host.images.get(image.parent)) is not None:
        known[len(host.images.config_of(parent).history or ()) - 1] = parent
        image = parent
    return known
