"""`docker builder prune`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from zonehost.domain.filters import Filters
from zonehost.engine.host import Host
from zonehost.engine.image.listing import parse_until
from zonehost.engine.image.sweep import sweep_layers
from zonehost.errors import InvalidParameter, Unsupported
from zonehost.ports.build_cache import CachedStep

_KNOWN: Final = frozenset({"id", "label", "label!", "unused-for", "until"})


@dataclass(frozen=True, slots=True)
class PrunedSteps:
    """The keys of steps that are forgotten, and the bytes of layers that went with them."""

    keys: tuple[str, ...]
    space: int


async def prune_builds(host: Host, *, all_steps: bool, keep: int, filters: Filters) -> PrunedSteps:
    """Forget cached steps, the longest unused first, until their layers hold no more than `keep` bytes.

    Without `all_steps`, steps stay whose layers an image has. Of the filters, `until` (or `unused-for`) spares what was
    used since, and `id` all but one step; steps have no labels.

    Raises:
        InvalidParameter: a filter has a value that cannot be. Unsupported: a filter is not known, or this host does
        not build.
    """
    cache = host.build_cache
    if cache is None:
        raise Unsupported("this host does not build images")
    doomable = _matcher(filters, host.clock.now())
    kept = frozenset[str]() if all_steps else frozenset(host.images.layers_in_use())
    steps = sorted(cache.steps(), key=lambda step: step.used)
    left = sum(step.size for step in steps)
    doomed = []
    for step in steps:
        if keep and left <= keep:
            break
        if step.layer not in kept and doomable(step):
            doomed.append(step)
            left -= step.size
    cache.remove(step.key for step in doomed)
    space = await sweep_layers(host, {step.layer for step in doomed if step.layer})
    return PrunedSteps(tuple(step.key for step in doomed), space)


def _matcher(filters: Filters, now: int) -> Callable[[CachedStep], bool]:
    for name in filters.names():
        if name not in _KNOWN:
            raise Unsupported(f"the filter {name} is not supported")
    if "until" in filters and "unused-for" in filters:
        raise InvalidParameter('conflicting filters: "until" and "unused-for"')
    for name in ("until", "unused-for", "id"):
        if len(filters.get(name)) > 1:
            raise InvalidParameter("filters expect only one value")
    bounds = [parse_until(text, now) for name in ("until", "unused-for") for text in filters.get(name)]
    return lambda step: (
        all(step.used < bound for bound in bounds)
        and filters.matches("id", (step.key,))
        and filters.matches_labels(None)
    )
