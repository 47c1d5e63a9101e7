"""Layers that nothing stands on any more are taken away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from zonehost.engine.host import Host


@asynccontextmanager
async def taking_in(host: Host) -> AsyncIterator[set[str]]:
    """While layers come in that no record names yet: none is swept.

    The body notes the diff ids of those that come; if it fails they go, at the latest when nothing else comes in.
    """
    came: set[str] = set()
    try:
        async with host.images.intake():
            yield came
    except BaseException:
        host.images.leftovers |= came
        raise
    finally:
        if host.images.leftovers:
            await sweep_layers(host, host.images.leftovers)
            in_use = layers_in_use(host)
            host.images.leftovers = {
                diff_id for diff_id in host.images.leftovers - in_use if host.layers.get(diff_id) is not None
            }


async def sweep_layers(host: Host, candidates: Iterable[str]) -> int:
    """Remove those of the layers that no image, container or cached step of a build has; the bytes that they held.

    While layers come in that no record names yet, nothing is removed: these go when nothing else comes in.
    """
    freed = 0
    candidates = tuple(candidates)
    async with host.images.sweeping() as may:
        if not may:
            host.images.leftovers.update(candidates)
            return 0
        in_use = layers_in_use(host)
        for diff_id in candidates:
            layer = host.layers.get(diff_id)
            if layer is not None and diff_id not in in_use:
                await host.layers.remove(diff_id)
                freed += layer.size
    return freed


def layers_in_use(host: Host) -> set[str]:
    """Layers that an image, a container or a cached step of a build stands on."""
    in_use = host.images.layers_in_use()
    in_use.update(layer for record in host.containers.records() for layer in record.held_layers)
    if host.build_cache is not None:
        in_use.update(host.build_cache.layers())
    return in_use
