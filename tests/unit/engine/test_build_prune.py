"""Which steps of builds are forgotten."""

from __future__ import annotations

from collections.abc import Container, Iterable

import pytest

from tests.fakes.host import World
from zonehost.domain.filters import Filters
from zonehost.engine.build.prune import prune_builds
from zonehost.errors import InvalidParameter, Unsupported
from zonehost.ports.build_cache import CachedStep
from zonehost.ports.provenance import Provenance

HOUR = 3600 * 1_000_000_000


class MemoryCache:
    """Steps without layers."""

    def __init__(self, steps: Iterable[CachedStep]) -> None:
        self._steps = {step.key: step for step in steps}

    def get(self, key: str) -> CachedStep | None:
        return self._steps.get(key)

    def put(self, step: CachedStep) -> None:
        self._steps[step.key] = step

    def steps(self) -> Iterable[CachedStep]:
        return tuple(self._steps.values())

    def layers(self) -> frozenset[str]:
        return frozenset()

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._steps.pop(key, None)

    def note(self, provenance: Provenance) -> None:
        raise NotImplementedError

    def provenance(self, image: str) -> Provenance | None:
        return None

    def forget(self, image: str) -> None:
        raise NotImplementedError

    def keep_provenance(self, images: Container[str]) -> None:
        raise NotImplementedError


@pytest.fixture
def cached(world: World) -> World:
    """A step of two hours ago and one of a minute ago."""
    now = world.host.clock.now()
    world.host.build_cache = MemoryCache(
        CachedStep(key=key, layer="", instruction="RUN", made=used, used=used)
        for key, used in (("old", now - 2 * HOUR), ("new", now - HOUR // 60))
    )
    return world


@pytest.mark.parametrize(
    ("filters", "gone"),
    [
        ({}, ("old", "new")),
        ({"until": "1h"}, ("old",)),
        ({"unused-for": "3h"}, ()),
        ({"id": "new"}, ("new",)),
        ({"label": "a=b"}, ()),
        ({"label!": "a=b"}, ("old", "new")),
    ],
)
async def test_steps_that_pass_the_filters_go(cached: World, filters: dict[str, str], gone: tuple[str, ...]) -> None:
    given = Filters({name: (value,) for name, value in filters.items()})
    assert (await prune_builds(cached.host, all_steps=True, keep=0, filters=given)).keys == gone


@pytest.mark.parametrize(
    ("filters", "error"),
    [
        ({"until": ("soon",)}, InvalidParameter),
        ({"until": ("1h", "2h")}, InvalidParameter),
        ({"until": ("1h",), "unused-for": ("1h",)}, InvalidParameter),
        ({"type": ("regular",)}, Unsupported),
    ],
)
async def test_filters_that_cannot_be(
    cached: World, filters: dict[str, tuple[str, ...]], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await prune_builds(cached.host, all_steps=True, keep=0, filters=Filters(filters))
