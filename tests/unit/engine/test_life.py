"""The life of containers, on fakes: what verbs do to states, records, waiters and events."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.host import World
from tests.unit.engine.steps import actions, make, quiet, record_of, run
from zonehost.domain.container import Status
from zonehost.domain.host_config import RestartPolicy
from zonehost.domain.phase import Phase
from zonehost.engine.container.kill import kill
from zonehost.engine.container.pause import pause, unpause
from zonehost.engine.container.remove import remove
from zonehost.engine.container.rename import rename
from zonehost.engine.container.restart import restart
from zonehost.engine.container.start import start
from zonehost.engine.container.stop import stop
from zonehost.engine.container.wait import WaitCondition, wait
from zonehost.engine.network.create import NetworkRequest
from zonehost.engine.network.create import create as create_network
from zonehost.errors import Conflict, InvalidParameter, NotFound, NotModified


async def test_a_container_that_ran_to_its_end_says_how(world: World) -> None:
    record = await make(world, "exit", "7", name="seven")
    waiting = await wait(world.host, "seven", WaitCondition.NEXT_EXIT)
    await start(world.host, "seven")
    assert (await waiting).code == 7
    state = record_of(world, record.id).state
    assert (state.status, state.exit_code, state.pid) == (Status.EXITED, 7, 0)
    assert state.finished_at > state.started_at > record.created
    assert actions(world) == ["create", "start", "die"]
    assert not world.runtime.zones
    assert not world.networking.zones


async def test_removal_by_itself_is_done_when_the_wait_for_it_is(world: World) -> None:
    record = await make(world, "exit", "3", auto_remove=True)
    waiting = await wait(world.host, record.id, WaitCondition.REMOVED)
    await start(world.host, record.id)
    assert (await waiting).code == 3
    assert world.host.containers.get(record.id) is None
    assert record.id not in world.storage.zones
    assert ("container", record.id) not in world.records.kept
    assert actions(world) == ["create", "start", "die", "destroy"]


async def test_the_intent_of_a_start_is_durable_before_the_zone_is_born(world: World) -> None:
    record = await make(world, "sleep")
    seen = []
    create = world.runtime.create

    async def watching(*given: object) -> object:
        kept = world.records.kept["container", record.id]
        seen.append(kept.state.starting)  # type: ignore[union-attr]
        return await create(*given)  # type: ignore[arg-type]

    world.runtime.create = watching  # type: ignore[method-assign, assignment]
    await start(world.host, record.id)
    assert seen == [True]
    assert world.records.kept["container", record.id] == record_of(world, record.id)
    assert record_of(world, record.id).state.status is Status.RUNNING


async def test_a_program_that_is_not_there_leaves_the_reason_and_nothing_else(world: World) -> None:
    record = await make(world, "nonsense")
    with pytest.raises(InvalidParameter, match="executable file not found"):
        await start(world.host, record.id)
    state = record_of(world, record.id).state
    assert (state.status, state.exit_code, state.starting) == (Status.CREATED, 127, False)
    assert "nonsense" in state.error
    assert not world.networking.zones
    assert record_of(world, record.id).endpoints["bridge"].ipv4 == ""


async def test_stop_asks_then_ends(world: World) -> None:
    container = await run(world, "stubborn")
    stopping = asyncio.create_task(stop(world.host, container, timeout=5))
    await quiet()
    assert not stopping.done()
    world.clock.advance(5)
    await stopping
    assert record_of(world, container).state.exit_code == 137
    assert actions(world)[-4:] == ["kill", "kill", "die", "stop"]
    with pytest.raises(NotModified):
        await stop(world.host, container)


async def test_a_stop_that_is_obeyed_does_not_wait(world: World) -> None:
    container = await run(world, "sleep")
    await stop(world.host, container)
    assert record_of(world, container).state.exit_code == 143


async def test_start_of_a_running_container_changes_nothing(world: World) -> None:
    container = await run(world, "sleep")
    with pytest.raises(NotModified):
        await start(world.host, container)


async def test_kill_of_a_stopped_container_is_refused_in_dockers_words(world: World) -> None:
    record = await make(world, "sleep", name="idle")
    with pytest.raises(Conflict, match=f"cannot kill container: idle: container {record.id} is not running"):
        await kill(world.host, "idle")
    with pytest.raises(InvalidParameter, match="cannot kill container: idle: invalid signal: LOUD"):
        await kill(world.host, "idle", signal="LOUD")
    with pytest.raises(NotFound, match="cannot kill container: nobody: No such container: nobody"):
        await kill(world.host, "nobody")


async def test_a_running_container_is_not_removed_without_force(world: World) -> None:
    container = await run(world, "sleep", name="busy")
    with pytest.raises(Conflict, match="container is running: stop the container before removing or force remove"):
        await remove(world.host, "busy")
    waiting = await wait(world.host, container, WaitCondition.NEXT_EXIT)
    await remove(world.host, "busy", force=True)
    assert (await waiting).code == 137
    with pytest.raises(NotFound, match="No such container: busy"):
        await remove(world.host, "busy", force=True)
    assert actions(world) == ["create", "start", "kill", "die", "destroy"]
    assert not world.runtime.zones


async def test_a_failing_container_is_started_again_with_growing_waits(world: World) -> None:
    policy = RestartPolicy(name="on-failure", maximum_retry_count=2)
    container = await run(world, "exit", "1", restart_policy=policy)
    await quiet()
    assert record_of(world, container).state.status is Status.RESTARTING
    world.clock.advance(0.1)
    await quiet()
    assert record_of(world, container).restart_count == 1
    world.clock.advance(0.1)
    await quiet()
    assert record_of(world, container).restart_count == 1, "the second wait is longer"
    world.clock.advance(0.1)
    await quiet()
    record = record_of(world, container)
    assert (record.restart_count, record.state.status) == (2, Status.EXITED)


async def test_a_long_run_begins_the_waits_anew(world: World) -> None:
    container = await run(world, "sleep", restart_policy=RestartPolicy(name="always"))
    for ran, waited in ((1, 0.1), (1, 0.2), (10, 0.1), (1, 0.2)):
        world.clock.advance(ran)
        await _ends_and_is_started_after(world, container, waited)


async def test_waits_grow_whoever_sets_the_clock_forward(world: World) -> None:
    container = await run(world, "sleep", restart_policy=RestartPolicy(name="always"))
    for waited in (0.1, 0.2, 0.4):
        world.clock.set_forward(3600)
        await _ends_and_is_started_after(world, container, waited)


async def _ends_and_is_started_after(world: World, container: str, seconds: float) -> None:
    count = record_of(world, container).restart_count
    await world.runtime.kill(container, 9)
    await quiet()
    world.clock.advance(seconds - 0.05)
    await quiet()
    assert record_of(world, container).restart_count == count
    world.clock.advance(0.05)
    await quiet()
    assert record_of(world, container).restart_count == count + 1


async def test_a_stopped_container_is_not_started_again(world: World) -> None:
    container = await run(world, "sleep", restart_policy=RestartPolicy(name="always"))
    await stop(world.host, container)
    world.clock.advance(60)
    await quiet()
    assert record_of(world, container).state.status is Status.EXITED


async def test_stop_calls_off_a_restart(world: World) -> None:
    container = await run(world, "exit", "1", restart_policy=RestartPolicy(name="always"))
    await quiet()
    await stop(world.host, container)
    world.clock.advance(60)
    await quiet()
    record = record_of(world, container)
    assert (record.state.status, record.restart_count) == (Status.EXITED, 0)


@pytest.mark.parametrize("signal", ["", "TERM"])
async def test_kill_calls_off_a_restart(world: World, signal: str) -> None:
    container = await run(world, "exit", "1", restart_policy=RestartPolicy(name="always"))
    await quiet()
    with pytest.raises(Conflict, match="is restarting, wait until the container is running"):
        await kill(world.host, container, signal="HUP")
    await kill(world.host, container, signal=signal)
    assert record_of(world, container).state.status is Status.EXITED
    world.clock.advance(60)
    await quiet()
    assert record_of(world, container).restart_count == 0
    assert actions(world)[-2:] == ["start", "die"]


async def test_restart_keeps_a_container_that_removes_itself(world: World) -> None:
    container = await run(world, "sleep", auto_remove=True)
    await restart(world.host, container)
    assert record_of(world, container).state.status is Status.RUNNING
    assert actions(world)[-5:] == ["kill", "die", "stop", "start", "restart"]


async def test_a_restart_that_fails_says_what_failed(world: World) -> None:
    first = await run(world, "sleep")
    second = await run(world, "sleep", network_mode=f"container:{first}")
    await remove(world.host, first, force=True)
    with pytest.raises(NotFound, match=f"Cannot restart container {second}: joining network namespace of container"):
        await restart(world.host, second)


async def test_pause_and_unpause(world: World) -> None:
    container = await run(world, "sleep")
    await pause(world.host, container)
    assert record_of(world, container).state.status is Status.PAUSED
    with pytest.raises(Conflict, match="already paused"):
        await pause(world.host, container)
    with pytest.raises(Conflict, match="paused container"):
        await start(world.host, container)
    await unpause(world.host, container)
    assert record_of(world, container).state.status is Status.RUNNING
    with pytest.raises(Conflict, match="is not paused"):
        await unpause(world.host, container)


async def test_names_are_kept_apart(world: World) -> None:
    first = await make(world, "sleep", name="one")
    with pytest.raises(Conflict, match=f'The container name "/one" is already in use by container "{first.id}"'):
        await make(world, "sleep", name="one")
    await make(world, "sleep", name="two")
    with pytest.raises(Conflict, match="already in use"):
        await rename(world.host, "one", "two")
    await rename(world.host, "one", "three")
    assert (await make(world, "sleep", name="one")).name == "one"
    assert world.records.kept["container", first.id].name == "three"  # type: ignore[union-attr]


async def test_a_running_container_is_found_by_its_new_name(world: World) -> None:
    await create_network(world.host, NetworkRequest(name="n"))
    record = await make(world, "sleep", name="old", network_mode="n")
    await start(world.host, "old")
    await rename(world.host, "old", "new")
    [plug] = world.networking.zones[record.id].plugs
    assert plug.names == ("new", record.short)


async def test_a_container_in_the_making_is_not_seen(world: World) -> None:
    held = asyncio.Event()
    create_zone = world.storage.create_zone

    async def slow(zone: str, *, quota: int = 0) -> str:
        await held.wait()
        return await create_zone(zone, quota=quota)

    world.storage.create_zone = slow  # type: ignore[method-assign]
    making = asyncio.create_task(make(world, "sleep", name="half"))
    await quiet()
    assert any(record.phase is Phase.MAKING for record in world.host.containers.records())
    with pytest.raises(NotFound):
        await start(world.host, "half")
    held.set()
    await making
    await start(world.host, "half")
