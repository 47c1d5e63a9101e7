"""`docker images`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from zonehost.domain.durations import parse_duration
from zonehost.domain.filters import Filters
from zonehost.domain.image import Image
from zonehost.domain.image_config import parse_rfc3339
from zonehost.domain.reference import parse_reference
from zonehost.engine.host import Host
from zonehost.engine.image.names import familiar_names
from zonehost.errors import InvalidParameter

_KNOWN: Final = frozenset({"dangling", "label", "label!", "before", "since", "until", "reference"})
_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageListRequest:
    """`all` shows images that other images were built on here too."""

    all: bool = False
    filters: Filters = field(default_factory=Filters)
    shared_size: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSummary:
    """An image in a list. `created` is in seconds; the counts are -1 where they were not asked for."""

    image: Image
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    created: int
    labels: dict[str, str]
    containers: int
    shared_size: int


async def list_images(host: Host, request: ImageListRequest) -> tuple[ImageSummary, ...]:
    """Images that pass the filters, newest first.

    Raises:
        InvalidParameter: a filter is unknown or badly written. NotFound: `before` or `since` name no image.
    """
    request.filters.accept(_KNOWN)
    bounds = _Bounds.of(host, request.filters)
    users = Counter(record.image for record in host.containers.records())
    holders = Counter(layer for image in host.images for layer in set(image.layers))
    chosen = [
        summary
        for image in host.images
        if (summary := _summary(host, image, request, users, holders)) is not None and bounds.holds(summary.created)
    ]
    return tuple(sorted(chosen, key=lambda summary: summary.created, reverse=True))


def parse_until(text: str, now: int) -> int:
    """The nanoseconds since the epoch that an `until` filter means: a time, or a duration before now.

    Raises:
        InvalidParameter: it is neither.
    """
    duration = parse_duration(text)
    if duration is not None:
        return now - duration
    if text.replace(".", "", 1).isdigit():
        return int(float(text) * _SECOND)
    moment = parse_rfc3339(text)
    if not moment:
        raise InvalidParameter(f'failed to parse value as time or duration: "{text}"')
    return moment


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Open bounds of the creation time, in seconds."""

    after: int
    before: int

    @classmethod
    def of(cls, host: Host, filters: Filters) -> _Bounds:
        after, before = [], []
        for ref in filters.get("since"):
            after.append(_created(host, host.images.find(ref)))
        for ref in filters.get("before"):
            before.append(_created(host, host.images.find(ref)))
        for text in filters.get("until"):
            before.append(parse_until(text, host.clock.now()) // _SECOND)
        return cls(max(after, default=-1), min(before, default=1 << 62))

    def holds(self, created: int) -> bool:
        return self.after < created < self.before


def _summary(
    host: Host, image: Image, request: ImageListRequest, users: Counter[str], holders: Counter[str]
) -> ImageSummary | None:
    """The image as a list shows it, None if the filters leave it out."""
    filters = request.filters
    config = host.images.config_of(image)
    if not filters.matches_labels(config.run.labels):
        return None
    tags, digests = familiar_names(host, image.id)
    dangling = not tags and not digests
    wanted = filters.flag("dangling")
    inner = dangling and bool(host.images.children_of(image.id))
    if (inner and not request.all) or (wanted is not None and wanted != dangling):
        return None
    patterns = filters.get("reference")
    if patterns:
        tags, digests = _matching(tags, patterns), _matching(digests, patterns)
        if not tags and not digests:
            return None
    shared = sum(layer.size for diff_id in image.layers if holders[diff_id] > 1 and (layer := host.layers.get(diff_id)))
    return ImageSummary(
        image=image,
        tags=tags,
        digests=digests,
        created=_created(host, image),
        labels=config.run.labels or {},
        containers=users[image.id] if request.shared_size else -1,
        shared_size=shared if request.shared_size else -1,
    )


def _created(host: Host, image: Image) -> int:
    return parse_rfc3339(host.images.config_of(image).created) // _SECOND


def _matching(names: Iterable[str], patterns: Iterable[str]) -> tuple[str, ...]:
    """The names that a pattern fits: the whole name, or the part without the tag, as Docker's path.Match does."""
    return tuple(name for name in names if any(_fits(name, pattern) for pattern in patterns))


def _fits(name: str, pattern: str) -> bool:
    repository = parse_reference(name).familiar_repository
    return any(
        candidate.count("/") == pattern.count("/") and fnmatchcase(candidate, pattern)
        for candidate in (name, repository)
    )
