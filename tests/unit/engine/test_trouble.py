"""Processes that cannot be ended, and disks that are full: said, kept, and mended later."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.host import World
from tests.unit.engine.steps import ended, make, quiet, record_of, run
from zonehost.domain.container import Status
from zonehost.domain.endpoint_settings import EndpointSettings
from zonehost.domain.host_config import PortBinding, RestartPolicy
from zonehost.domain.network import PublishedPort
from zonehost.domain.phase import Phase
from zonehost.engine.container.kill import kill
from zonehost.engine.container.remove import remove
from zonehost.engine.container.start import start
from zonehost.engine.container.stop import stop
from zonehost.engine.container.wait import WaitCondition, wait
from zonehost.engine.network.connect import connect
from zonehost.engine.network.create import NetworkRequest
from zonehost.engine.network.create import create as create_network
from zonehost.engine.network.disconnect import disconnect
from zonehost.engine.network.mend import watch_links
from zonehost.engine.network.remove import remove as remove_network
from zonehost.errors import Blocked, Conflict, Forbidden, NotFound, SystemFailure
from zonehost.ports.records import Change

_STUCK = "process 7 in state D, in fuse_wait"


class Stuck:
    """A runtime that cannot end its zones until it is freed."""

    def __init__(self, world: World) -> None:
        self._remove = world.runtime.remove
        self._world = world
        self._stuck = True
        world.runtime.remove = self.remove  # type: ignore[method-assign]

    async def remove(self, zone: str, noted: asyncio.Future[None] | None = None) -> None:
        if self._stuck:
            raise Blocked(_STUCK)
        await self._remove(zone, noted)

    def free(self) -> None:
        self._stuck = False


async def test_what_cannot_be_removed_is_dead_and_says_why(world: World) -> None:
    container = await run(world, "sleep", binds=("/anonymous",))
    stuck = Stuck(world)
    waiting = await wait(world.host, container, WaitCondition.REMOVED)
    with pytest.raises(Blocked, match=_STUCK):
        await remove(world.host, container, force=True, volumes=True)
    record = record_of(world, container)
    assert (record.state.status, record.state.blocked, record.phase) == (Status.DEAD, _STUCK, Phase.REMOVING)
    assert (await waiting).error == _STUCK
    assert container in world.storage.zones
    with pytest.raises(Conflict, match="marked for removal"):
        await start(world.host, container)
    stuck.free()
    await remove(world.host, container, volumes=True)
    assert not world.storage.zones
    assert not world.storage.volumes
    assert not world.runtime.zones


async def test_a_container_that_removes_itself_stays_while_something_of_it_is_stuck(world: World) -> None:
    container = await run(world, "sleep", auto_remove=True)
    stuck = Stuck(world)
    await kill(world.host, container)
    assert record_of(world, container).state.status is Status.DEAD
    assert container in world.storage.zones
    stuck.free()
    await remove(world.host, container)
    assert world.host.containers.get(container) is None


async def test_no_policy_starts_what_is_stuck(world: World) -> None:
    container = await run(world, "sleep", restart_policy=RestartPolicy(name="always"))
    stuck = Stuck(world)
    world.runtime.zones[container].process.kill(9)
    await ended(world, container)
    world.clock.advance(60)
    await quiet()
    state = record_of(world, container).state
    assert (state.status, state.blocked) == (Status.EXITED, _STUCK)
    stuck.free()


async def test_what_does_not_end_is_said_to_be_blocked(world: World) -> None:
    container = await run(world, "sleep")

    async def deaf(zone: str, signal: int) -> None:
        return

    world.runtime.kill = deaf  # type: ignore[method-assign]
    stopping = asyncio.create_task(stop(world.host, container, timeout=1))
    await quiet()
    world.clock.advance(1)
    await quiet()
    world.clock.advance(10)
    with pytest.raises(Blocked, match="did not end within 10s of SIGKILL"):
        await stopping
    assert record_of(world, container).state.status is Status.RUNNING


async def test_another_container_is_not_kept_waiting(world: World) -> None:
    container = await run(world, "sleep")
    freed = asyncio.Event()
    remove_zone = world.runtime.remove

    async def hung(zone: str, noted: asyncio.Future[None] | None = None) -> None:
        if zone == container:
            await freed.wait()
        await remove_zone(zone, noted)

    world.runtime.remove = hung  # type: ignore[method-assign]
    removing = asyncio.create_task(remove(world.host, container, force=True))
    await quiet()
    other = await run(world, "sleep")
    await remove(world.host, other, force=True)
    assert not removing.done()
    freed.set()
    await removing


async def test_an_end_is_known_though_the_disk_is_full(world: World) -> None:
    container = await run(world, "sleep")
    waiting = await wait(world.host, container, WaitCondition.NEXT_EXIT)
    commit = world.records.commit

    async def full(*changes: Change) -> None:
        raise SystemFailure("the state cannot be written: disk full")

    world.records.commit = full  # type: ignore[method-assign]
    world.runtime.zones[container].process.kill(9)
    assert (await waiting).code == 137
    assert record_of(world, container).state.status is Status.EXITED
    world.records.commit = commit  # type: ignore[method-assign]
    await start(world.host, container)


async def test_a_removal_that_cannot_be_noted_is_not_begun(world: World) -> None:
    record = await make(world, "sleep", binds=("/anonymous",))
    commit = world.records.commit

    async def full(*changes: Change) -> None:
        raise SystemFailure("the state cannot be written: disk full")

    world.records.commit = full  # type: ignore[method-assign]
    with pytest.raises(SystemFailure):
        await remove(world.host, record.id, volumes=True)
    world.records.commit = commit  # type: ignore[method-assign]
    assert record_of(world, record.id).phase is Phase.WHOLE
    assert all(volume.phase is Phase.WHOLE for volume in world.host.volumes)
    await start(world.host, record.id)


async def test_who_waits_for_a_start_that_cannot_be_noted_and_a_removal_too_is_told(world: World) -> None:
    record = await make(world, "sleep", auto_remove=True)
    waiting = await wait(world.host, record.id, WaitCondition.REMOVED)

    async def full(*changes: Change) -> None:
        raise SystemFailure("the state cannot be written: disk full")

    world.records.commit = full  # type: ignore[method-assign]
    with pytest.raises(SystemFailure):
        await start(world.host, record.id)
    await asyncio.wait_for(waiting, 1)
    assert record_of(world, record.id).phase is Phase.WHOLE


async def test_a_signal_does_not_undo_a_disconnect_at_the_same_time(world: World) -> None:
    container = await run(world, "sleep")
    await asyncio.gather(
        kill(world.host, container, signal="TERM"), disconnect(world.host, "bridge", container, force=False)
    )
    record = record_of(world, container)
    assert (set(record.endpoints), record.state.stopped_by_hand) == (set(), True)


async def test_a_connection_that_cannot_be_noted_is_undone(world: World) -> None:
    await create_network(world.host, NetworkRequest(name="other"))
    container = await run(world, "sleep")
    before = record_of(world, container).endpoints
    commit = world.records.commit

    async def full(*changes: Change) -> None:
        raise SystemFailure("the state cannot be written: disk full")

    world.records.commit = full  # type: ignore[method-assign]
    with pytest.raises(SystemFailure):
        await connect(world.host, "other", container, EndpointSettings())
    world.records.commit = commit  # type: ignore[method-assign]
    assert record_of(world, container).endpoints == before
    assert [plug.network.name for plug in world.networking.zones[container].plugs] == ["bridge"]
    await connect(world.host, "other", container, EndpointSettings())
    assert record_of(world, container).endpoints["other"].ipv4.endswith(".2")  # the address was given back


async def test_a_network_is_in_use_while_a_start_in_it_waits_for_its_ports(world: World) -> None:
    await create_network(world.host, NetworkRequest(name="other"))
    ports = {"80/tcp": (PortBinding(host_port="8080"),)}
    container = await make(world, "sleep", network_mode="other", port_bindings=ports)
    reserve = world.networking.reserve

    async def busy(*asked: Any) -> tuple[PublishedPort, ...]:
        with pytest.raises(Forbidden, match="active endpoints"):
            await remove_network(world.host, "other")
        return await reserve(*asked)

    world.networking.reserve = busy  # type: ignore[assignment, method-assign]
    await start(world.host, container.id)
    assert [plug.network.name for plug in world.networking.zones[container.id].plugs] == ["other"]


async def test_nobody_comes_into_a_network_that_went_while_he_waited(world: World) -> None:
    await create_network(world.host, NetworkRequest(name="other"))
    container = await make(world, "sleep", name="idle")
    async with world.host.containers.find("idle").lock:
        coming = asyncio.create_task(connect(world.host, "other", "idle", EndpointSettings()))
        going = asyncio.create_task(disconnect(world.host, "other", "idle", force=False))
        await quiet()
        await remove_network(world.host, "other")
    for task in (coming, going):
        with pytest.raises(NotFound, match="network other not found"):
            await task
    assert set(record_of(world, container.id).endpoints) == {"bridge"}


async def test_links_that_somebody_deleted_are_made_again(world: World) -> None:
    world.host.spawn(watch_links(world.host), "links")
    container = await run(world, "sleep")
    await connect_to_another(world, container)
    before = record_of(world, container)
    world.networking.cut.add(before.endpoints["other"].id)
    world.networking.lost.put_nowait(container)
    await quiet()
    assert not world.networking.cut
    assert record_of(world, container) == before


async def test_links_of_what_ends_are_not_made_again(world: World) -> None:
    world.host.spawn(watch_links(world.host), "links")
    container = await run(world, "sleep")
    endpoint = record_of(world, container).endpoints["bridge"].id
    world.networking.cut.add(endpoint)
    async with world.host.containers.find(container).lock:
        world.networking.lost.put_nowait(container)
        await world.runtime.kill(container, 9)
        await quiet()
    await quiet()
    assert record_of(world, container).state.status is Status.EXITED
    assert world.networking.cut == {endpoint}


async def connect_to_another(world: World, container: str) -> None:
    await create_network(world.host, NetworkRequest(name="other"))
    await connect(world.host, "other", container, EndpointSettings())


async def test_a_network_is_in_use_while_a_container_comes_into_it(world: World) -> None:
    await create_network(world.host, NetworkRequest(name="other"))
    container = await run(world, "sleep")
    connecting = asyncio.create_task(connect(world.host, "other", container, EndpointSettings()))
    await asyncio.sleep(0)
    with pytest.raises(Forbidden, match="active endpoints"):
        await remove_network(world.host, "other")
    await connecting
