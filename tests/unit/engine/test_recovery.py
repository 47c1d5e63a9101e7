"""A daemon comes back: every record and everything in the kernel becomes whole or goes."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import msgspec
import pytest

from tests.fakes.host import World
from tests.unit.engine.steps import make, quiet, record_of, run
from tests.unit.engine.test_health import check, pass_seconds
from zonehost.domain.container import Container, Status
from zonehost.domain.host_config import RestartPolicy
from zonehost.domain.phase import Phase
from zonehost.domain.volume import Volume
from zonehost.engine.container.pause import pause
from zonehost.engine.container.stop import stop
from zonehost.engine.container.wait import WaitCondition, wait
from zonehost.engine.host import Host
from zonehost.engine.recovery.recover import recover
from zonehost.engine.recovery.report import Recovered
from zonehost.engine.volume.create import VolumeRequest
from zonehost.engine.volume.create import create as create_volume
from zonehost.errors import NotFound
from zonehost.ports.records import Corrupt, Loaded, Put
from zonehost.ports.runtime import Exit, Running, Survey

_REGISTRIES = ("containers", "images", "networks", "volumes", "execs", "events", "background")


@asynccontextmanager
async def successor(
    world: World,
    *,
    alive: Iterable[str] | None = None,
    ended: Iterable[Exit] = (),
    remains: Iterable[str] = (),
) -> AsyncIterator[tuple[World, Recovered]]:
    """The world under a new daemon that finds these zones; `alive` None: those that run."""
    await world.host.close()
    zones = world.runtime.zones
    living = [Running(key, zones[key].pid, 1, 100000) for key in (zones if alive is None else alive)]
    survey = Survey(tuple(living), tuple(ended), frozenset(remains))

    async def found() -> Survey:
        return survey

    world.runtime.survey = found  # type: ignore[method-assign]
    kept = {field.name: getattr(world.host, field.name) for field in dataclasses.fields(Host)}
    host = Host(**{name: value for name, value in kept.items() if name not in _REGISTRIES})
    report = await recover(host)
    try:
        yield dataclasses.replace(world, host=host), report
    finally:
        await host.close()


async def plant(world: World, record: Container, **changes: object) -> Container:
    """Put a record into the store as a crash would have left it."""
    planted = msgspec.structs.replace(record, **changes)
    await world.records.commit(Put(planted))
    return planted


async def test_a_zone_that_lives_goes_on(world: World) -> None:
    container = await run(world, "sleep", name="lives")
    before = record_of(world, container)
    async with successor(world) as (later, report):
        assert report.adopted == 1
        assert record_of(later, container).state.started_at == before.state.started_at
        assert later.networking.zones[container].plugs[0].endpoint == before.endpoints["bridge"]
        waiting = await wait(later.host, "lives", WaitCondition.NEXT_EXIT)
        await stop(later.host, "lives")
        assert (await waiting).code == 143


async def test_the_health_of_a_zone_that_lives_is_known_and_checked_on(world: World) -> None:
    container = await run(world, "sleep", config=check("CMD", "echo", "fine"))
    await pass_seconds(world, 1)
    async with successor(world) as (later, _):
        health = record_of(later, container).state.health
        assert health is not None and health.status == "healthy"
        await pass_seconds(later, 1)
        health = record_of(later, container).state.health
        assert health is not None and len(health.log) == 2


async def test_a_lease_of_a_zone_that_lives_is_not_given_again(world: World) -> None:
    container = await run(world, "sleep")
    async with successor(world) as (later, _):
        other = await run(later, "sleep")
        addresses = {record_of(later, one).endpoints["bridge"].ipv4 for one in (container, other)}
        assert len(addresses) == 2


@pytest.mark.parametrize("in_use", [False, True])
async def test_the_bridge_gives_way_unless_a_zone_that_lives_is_on_it(world: World, in_use: bool) -> None:
    if in_use:
        await run(world, "sleep")
    before = world.host.networks.find("bridge")
    world.networking.contested.add(before.id)
    async with successor(world) as (later, _):
        after = later.host.networks.find("bridge")
        assert after.id == before.id
        assert (after.pools == before.pools) is in_use


async def test_an_end_while_nobody_watched_is_told_with_its_code_and_time(world: World) -> None:
    container = await run(world, "sleep")
    started = record_of(world, container).state.started_at
    await world.runtime.remove(container)
    exit_ = Exit(container, 42, started + 5, oom_killed=True)
    async with successor(world, ended=[exit_]) as (later, report):
        state = record_of(later, container).state
        assert (state.status, state.exit_code, state.finished_at, state.oom_killed) == (
            Status.EXITED,
            42,
            started + 5,
            True,
        )
        assert report.ended == 1


async def test_a_zone_of_which_nothing_is_left_has_ended(world: World) -> None:
    container = await run(world, "sleep")
    await world.runtime.remove(container)
    async with successor(world) as (later, _):
        state = record_of(later, container).state
        assert (state.status, state.exit_code) == (Status.EXITED, 255)


async def test_a_container_that_removes_itself_is_gone(world: World) -> None:
    container = await run(world, "sleep", auto_remove=True)
    await world.runtime.remove(container)
    async with successor(world, ended=[Exit(container, 0, 1, oom_killed=False)]) as (later, _):
        assert later.host.containers.get(container) is None
        assert container not in later.storage.zones


async def test_a_policy_takes_up_from_there(world: World) -> None:
    container = await run(world, "sleep", restart_policy=RestartPolicy(name="always"))
    await world.runtime.remove(container)
    async with successor(world, ended=[Exit(container, 1, 1, oom_killed=False)]) as (later, _):
        await quiet()
        later.clock.advance(1)
        await quiet()
        assert record_of(later, container).state.status is Status.RUNNING


@pytest.mark.parametrize(("policy", "status"), [("always", Status.RUNNING), ("unless-stopped", Status.EXITED)])
async def test_what_was_stopped_by_hand_is_started_by_always_alone(world: World, policy: str, status: Status) -> None:
    container = await run(world, "sleep", restart_policy=RestartPolicy(name=policy))
    await stop(world.host, container)
    async with successor(world) as (later, _):
        await quiet()
        assert record_of(later, container).state.status is status


async def test_a_start_that_was_not_finished_is_undone(world: World) -> None:
    record = await make(world, "sleep")
    await plant(world, record, state=msgspec.structs.replace(record.state, starting=True))
    async with successor(world, remains=[record.id]) as (later, report):
        state = record_of(later, record.id).state
        assert (state.status, state.starting) == (Status.CREATED, False)
        assert report.undone == 1


async def test_a_start_whose_zone_lives_is_finished(world: World) -> None:
    container = await run(world, "sleep")
    record = record_of(world, container)
    starting = msgspec.structs.replace(record.state, starting=True, status=Status.CREATED, pid=0)
    await plant(world, record, state=starting)
    async with successor(world) as (later, _):
        state = record_of(later, container).state
        assert (state.status, state.starting) == (Status.RUNNING, False)
        assert state.pid == later.runtime.zones[container].pid


async def test_a_making_without_new_volumes_is_finished(world: World) -> None:
    record = await make(world, "sleep")
    await plant(world, record, phase=Phase.MAKING)
    world.storage.zones.clear()
    async with successor(world) as (later, _):
        assert later.host.containers.find(record.id).record.phase is Phase.WHOLE
        assert record.id in later.storage.zones


async def test_a_making_with_a_new_volume_is_undone_with_it(world: World) -> None:
    record = await make(world, "sleep", binds=("data:/data",))
    await plant(world, record, phase=Phase.MAKING)
    volume = world.host.volumes.find("data")
    await world.records.commit(Put(msgspec.structs.replace(volume, phase=Phase.MAKING)))
    async with successor(world) as (later, _):
        assert later.host.containers.get(record.id) is None
        assert later.host.volumes.get("data") is None
        assert not later.storage.zones
        assert not later.storage.volumes
        await quiet()
        assert {kind for kind, _ in later.records.kept} == {"image", "tag", "network"}


async def test_what_cannot_be_undone_does_not_keep_the_rest_from_it(world: World) -> None:
    for name in ("stuck", "undone"):
        await create_volume(world.host, VolumeRequest(name=name))
        volume = world.host.volumes.find(name)
        await world.records.commit(Put(msgspec.structs.replace(volume, phase=Phase.MAKING)))
    world.storage.stuck.add("stuck")
    async with successor(world) as (later, report):
        assert report.failed == 1
        assert ("volume", "stuck") in later.records.kept and ("volume", "undone") not in later.records.kept


async def test_a_removal_is_finished_and_its_name_is_free(world: World) -> None:
    record = await make(world, "sleep", name="taken")
    await plant(world, record, phase=Phase.REMOVING)
    successor_record = msgspec.structs.replace(record, id="f" * 64, created=record.created + 1)
    await world.records.commit(Put(successor_record))
    async with successor(world) as (later, _):
        assert later.host.containers.find("taken").id == "f" * 64
        assert later.host.containers.get(record.id) is None


async def test_what_no_record_names_is_swept(world: World) -> None:
    stray = await run(world, "sleep")
    world.records.kept.pop(("container", stray))
    await world.storage.create_zone("left", quota=0)
    await world.storage.create_volume("over", options={})
    layer = world.layers.put(b"unused")
    async with successor(world) as (later, report):
        assert not later.runtime.zones
        assert not later.storage.zones
        assert not later.storage.volumes
        assert later.layers.get(layer.diff_id) is None
        assert report.swept >= 3
        image = next(iter(later.host.images))
        assert later.layers.get(image.layers[0]) is not None


async def test_a_damaged_record_is_named_and_the_rest_works(world: World) -> None:
    record = await make(world, "sleep", name="sound")
    await create_volume(world.host, VolumeRequest(name="kept"))
    load = world.records.load

    def damaged() -> Loaded:
        return Loaded(load().records, (Corrupt("container", "0" * 64, "its checksum is wrong"),))

    world.records.load = damaged  # type: ignore[method-assign]
    async with successor(world) as (later, report):
        assert report.corrupt == 1
        assert later.host.containers.find("sound").id == record.id
        assert isinstance(later.host.volumes.find("kept"), Volume)
        with pytest.raises(NotFound):
            later.host.containers.find("0" * 64)
        told = [event for event in later.host.events.past(0, None) if event.action == "corrupt"]
        assert told[0].attributes["key"] == "0" * 64


async def test_while_a_record_is_set_aside_nothing_is_swept_from_the_disk(world: World) -> None:
    await world.storage.create_zone("0" * 64)
    load = world.records.load
    world.records.load = lambda: Loaded(load().records, (), frozenset({("container", "0" * 64)}))  # type: ignore[method-assign]
    async with successor(world) as (later, _):
        assert "0" * 64 in (await later.host.storage.survey())[0]


async def test_a_zone_that_was_held_still_for_a_commit_goes_on(world: World) -> None:
    container, paused = await run(world, "sleep"), await run(world, "sleep")
    await pause(world.host, paused)
    world.runtime.zones[container].paused = True
    async with successor(world):
        assert not world.runtime.zones[container].paused
        assert world.runtime.zones[paused].paused
