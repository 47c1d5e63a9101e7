"""Layers go when nothing stands on them any more, whatever goes on meanwhile."""

from __future__ import annotations

from tests.fakes.host import World
from tests.unit.engine.steps import make
from zonehost.domain.config import Config
from zonehost.domain.host_config import Mount
from zonehost.engine.container.remove import remove
from zonehost.engine.container.start import start
from zonehost.engine.image.remove import remove as remove_image
from zonehost.engine.image.sweep import taking_in


async def test_what_could_not_go_while_others_came_goes_with_the_last_of_them(world: World) -> None:
    image = await world.add_image("passing", Config(), b"of its own")
    async with taking_in(world.host):
        async with taking_in(world.host):
            await remove_image(world.host, "passing", force=False, prune=True)
        assert await world.layers.listed() > set(image.layers)
    assert not await world.layers.listed() & set(image.layers)


async def test_the_layers_of_an_image_that_was_forced_away_go_with_its_last_container(world: World) -> None:
    tool = world.host.images.find("tool")
    last = await make(world)
    await remove_image(world.host, "tool", force=True, prune=True)
    assert await world.layers.listed() == set(tool.layers)
    await remove(world.host, last.id)
    assert await world.layers.listed() == set()


async def test_the_layers_of_a_mounted_image_that_was_forced_away_stay_for_the_next_start(world: World) -> None:
    image = await world.add_image("seen", Config(), b"as a folder")
    record = await make(world, "sleep", mounts=(Mount(type="image", source="seen", target="/i"),))
    await remove_image(world.host, "seen", force=True, prune=True)
    await start(world.host, record.id)
    (mounted,) = world.runtime.zones[record.id].blueprint.images
    assert mounted.layers == world.host.layers.stack(image.layers)
    await remove(world.host, record.id, force=True)
    assert not await world.layers.listed() & set(image.layers)


async def test_nothing_is_remembered_of_an_image_that_is_gone(world: World) -> None:
    image = world.host.images.find("tool")
    assert world.host.images.config_of(image) is world.host.images.config_of(image)
    await remove_image(world.host, "tool", force=False, prune=True)
    assert world.host.images._configs == {}
