"""`docker images`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from zonehost.domain.durations import parse_duration
from zonehost.domain.filters import Filters
from zonehost.domain.image import Image
from zonehost.domain.image_config import parse_rfc3339
from zonehost.domain.path_patterns import translate
from zonehost.domain.reference import parse_reference
from zonehost.engine.host import Host
from zonehost.engine.image.names import familiar_names
from zonehost.errors import InvalidParameter

_KNOWN: Final = frozenset({"dangling", "label", "label!", "before", "since", "until", "reference"})
_STARS: Final = re.compile(r"(?<!\\)\*{2,}")
"""To path.Match of Go, which Docker uses here, two are as one."""
_SECOND: Final = 1_000_000_000
_NEVER, _EVER = -(1 << 63), 1 << 63


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
    patterns = [_pattern(text) for text in request.filters.get("reference")]
    users = Counter(record.image for record in host.containers.records())
    holders = Counter(layer for image in host.images for layer in set(image.layers))
    chosen = [
        summary
        for image in host.images
        if (summary := _summary(host, image, request, patterns, users, holders)) is not None
        and bounds.holds(_created(host, image))
    ]
    return tuple(sorted(chosen, key=lambda summary: _created(host, summary.image), reverse=True))


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
    """Open bounds of the creation time, in nanoseconds."""

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
            before.append(parse_until(text, host.clock.now()))
        return cls(max(after, default=_NEVER), min(before, default=_EVER))

    def holds(self, created: int) -> bool:
        return self.after < created < self.before


def _summary(
    host: Host,
    image: Image,
    request: ImageListRequest,
    patterns: Collection[re.Pattern[str]],
    users: Counter[str],
    holders: Counter[str],
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
    # As in Docker, one that only a digest names is among those that dangle, and among those that do not.
    if (inner and not request.all) or (bool(tags) if wanted else wanted is not None and dangling):
        return None
    if patterns:
        tags, digests = _matching(tags, patterns), _matching(digests, patterns)
        if not tags and not digests:
            return None
    shared = sum(layer.size for diff_id in image.layers if holders[diff_id] > 1 and (layer := host.layers.get(diff_id)))
    return ImageSummary(
        image=image,
        tags=tags,
        digests=digests,
        created=_created(host, image) // _SECOND,
        labels=config.run.labels or {},
        containers=users[image.id] if request.shared_size else -1,
        shared_size=shared if request.shared_size else -1,
    )


def _created(host: Host, image: Image) -> int:
    return parse_rfc3339(host.images.config_of(image).created)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(translate(_STARS.sub("*", text)), re.DOTALL)
    except InvalidParameter:
        raise InvalidParameter("syntax error in pattern") from None


def _matching(names: Iterable[str], patterns: Collection[re.Pattern[str]]) -> tuple[str, ...]:
    """The names that a pattern fits: the whole name, or the part without the tag, as Docker's path.Match does."""
    return tuple(name for name in names if any(_fits(name, pattern) for pattern in patterns))


def _fits(name: str, pattern: re.Pattern[str]) -> bool:
    repository = parse_reference(name).familiar_repository
    return any(pattern.fullmatch(candidate) for candidate in (name, repository))
