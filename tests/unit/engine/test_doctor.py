"""What `zonehost doctor` takes for unfinished: what nobody works on."""

from __future__ import annotations

from typing import NoReturn

import pytest

from tests.fakes.host import World
from tests.unit.engine.steps import make
from zonehost.engine.doctor.examine import examine
from zonehost.errors import SystemFailure
from zonehost.ports.audit import Finding, Trouble


async def test_a_container_that_is_being_made_is_no_finding(world: World) -> None:
    found: list[tuple[Finding, ...]] = []
    create_zone = world.storage.create_zone

    async def looked_at(zone: str, *, quota: int = 0) -> str:
        found.append(await examine(world.host))
        return await create_zone(zone, quota=quota)

    world.storage.create_zone = looked_at  # type: ignore[method-assign]
    await make(world, "sleep", name="web")
    assert found == [()]
    assert await examine(world.host) == ()


async def test_a_container_that_could_be_neither_made_nor_undone_is_one(world: World) -> None:
    async def broken(*_: object, **__: object) -> NoReturn:
        raise SystemFailure("the pool is broken")

    world.storage.create_zone = world.storage.remove_zone = broken  # type: ignore[method-assign]
    with pytest.raises(SystemFailure):
        await make(world, "sleep", name="web")
    [found] = await examine(world.host)
    assert (found.trouble, found.kind, found.name, found.detail) == (Trouble.UNFINISHED, "container", "web", "making")
