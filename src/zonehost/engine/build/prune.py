"""`docker builder prune`."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.engine.host import Host
from zonehost.engine.image.sweep import sweep_layers
from zonehost.errors import Unsupported


@dataclass(frozen=True, slots=True)
class PrunedSteps:
    """The keys of steps that are forgotten, and the bytes of layers that went with them."""

    keys: tuple[str, ...]
    space: int


async def prune_builds(host: Host, *, all_steps: bool, keep: int) -> PrunedSteps:
    """Forget cached steps, the longest unused first, until their layers hold no more than `keep` bytes.

    Without `all_steps`, steps stay whose layers an image has.

    Raises:
        Unsupported: this host does not build.
    """
    cache = host.build_cache
    if cache is None:
        raise Unsupported("this host does not build images")
    kept = frozenset[str]() if all_steps else frozenset(host.images.layers_in_use())
    steps = sorted(cache.steps(), key=lambda step: step.used)
    left = sum(step.size for step in steps)
    doomed = []
    for step in steps:
        if keep and left <= keep:
            break
        if step.layer not in kept:
            doomed.append(step)
            left -= step.size
    cache.remove(step.key for step in doomed)
    space = await sweep_layers(host, {step.layer for step in doomed if step.layer})
    return PrunedSteps(tuple(step.key for step in doomed), space)
