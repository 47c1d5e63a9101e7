"""Short words for what most tests of containers do."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fakes.host import World
from zonehost.domain.config import Config
from zonehost.domain.container import Container
from zonehost.domain.host_config import HostConfig
from zonehost.engine.container.create import CreateRequest, create
from zonehost.engine.container.start import start
from zonehost.engine.container.wait import WaitCondition, wait


async def make(world: World, *cmd: str, name: str = "", config: Any = None, **host: Any) -> Container:
    """A container of the image `tool`, not started."""
    words = {"image": "tool", "cmd": cmd or None, **(config or {})}
    request = CreateRequest(name=name, config=Config(**words), host_config=HostConfig(**host))
    return (await create(world.host, request)).container


async def run(world: World, *cmd: str, name: str = "", config: Any = None, **host: Any) -> str:
    """The id of a container of the image `tool` that was started."""
    record = await make(world, *cmd, name=name, config=config, **host)
    await start(world.host, record.id)
    return record.id


def record_of(world: World, container_id: str) -> Container:
    """Its record as it is now."""
    zone = world.host.containers.get(container_id)
    assert zone is not None
    return zone.record


async def ended(world: World, container_id: str) -> None:
    """Wait until it does not run."""
    await (await wait(world.host, container_id, WaitCondition.NOT_RUNNING))


async def quiet() -> None:
    """Let all that can go on without the clock go on."""
    for _ in range(50):
        await asyncio.sleep(0)


def actions(world: World, kind: str = "container") -> list[str]:
    """What was told of things of a kind, oldest first."""
    return [event.action for event in world.host.events.past(0, None) if event.type == kind]
