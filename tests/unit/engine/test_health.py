"""Health checks over time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.host import World
from tests.unit.engine.steps import actions, quiet, record_of, run
from zonehost.domain.config import Healthcheck
from zonehost.domain.container import Health, Probe
from zonehost.engine.container.health import judge
from zonehost.engine.container.pause import pause
from zonehost.ports.records import Change

_SECOND = 1_000_000_000


def check(*test: str, **times: int) -> dict[str, Any]:
    return {"healthcheck": Healthcheck(test=test, interval=_SECOND, **times)}


async def pass_seconds(world: World, seconds: int) -> None:
    for _ in range(seconds):
        await quiet()
        world.clock.advance(1)
        await quiet()


async def test_a_container_becomes_healthy(world: World) -> None:
    container = await run(world, "sleep", config=check("CMD", "echo", "fine"))
    assert record_of(world, container).state.health == Health(status="starting")
    await pass_seconds(world, 1)
    health = record_of(world, container).state.health
    assert health is not None and health.status == "healthy"
    assert (health.log[0].exit_code, health.log[0].output) == (0, "fine\n")
    assert actions(world)[-1] == "health_status: healthy"


async def test_what_is_told_of_health_is_on_the_disk(world: World) -> None:
    container = await run(world, "sleep", config=check("CMD", "echo", "fine"))
    commit, told = world.records.commit, []

    async def note(*changes: Change) -> None:
        told.append(actions(world)[-1])
        await commit(*changes)

    world.records.commit = note  # type: ignore[method-assign]
    await pass_seconds(world, 1)
    health = record_of(world, container).state.health
    assert health is not None and health.status == "healthy"
    assert told and "health_status: healthy" not in told


async def test_a_container_becomes_unhealthy_after_so_many_failures(world: World) -> None:
    container = await run(world, "sleep", config=check("CMD", "exit", "1", retries=2))
    await pass_seconds(world, 1)
    health = record_of(world, container).state.health
    assert health is not None and (health.status, health.failing_streak) == ("starting", 1)
    await pass_seconds(world, 1)
    health = record_of(world, container).state.health
    assert health is not None and (health.status, health.failing_streak) == ("unhealthy", 2)


async def test_a_check_that_does_not_answer_is_ended(world: World) -> None:
    container = await run(world, "sleep", config=check("CMD", "sleep", timeout=2 * _SECOND, retries=1))
    await pass_seconds(world, 3)
    health = record_of(world, container).state.health
    assert health is not None and health.status == "unhealthy"
    assert (health.log[0].exit_code, health.log[0].output) == (-1, "Health check exceeded timeout (2s)")
    assert world.runtime.zones[container].execs[0].exit.done()


async def test_what_a_late_check_said_is_told(world: World) -> None:
    container = await run(world, "sleep", config=check("CMD", "talk", timeout=2 * _SECOND, retries=1))
    await pass_seconds(world, 3)
    health = record_of(world, container).state.health
    assert health is not None
    assert health.log[0].output == "Health check exceeded timeout (2s): waiting"


async def test_a_start_period_forgives(world: World) -> None:
    times = {"retries": 1, "start_period": 3 * _SECOND, "start_interval": _SECOND}
    container = await run(world, "sleep", config=check("CMD", "exit", "1", **times))
    await pass_seconds(world, 2)
    health = record_of(world, container).state.health
    assert health is not None and (health.status, health.failing_streak, len(health.log)) == ("starting", 0, 2)
    await pass_seconds(world, 2)
    health = record_of(world, container).state.health
    assert health is not None and health.status == "unhealthy"


async def test_in_the_start_period_checks_have_an_interval_of_their_own(world: World) -> None:
    times = {"start_period": 60 * _SECOND, "start_interval": 5 * _SECOND}
    container = await run(world, "sleep", config=check("CMD", "echo", **times))
    await pass_seconds(world, 4)
    health = record_of(world, container).state.health
    assert health is not None and health.log == ()
    await pass_seconds(world, 1)
    health = record_of(world, container).state.health
    assert health is not None and (health.status, len(health.log)) == ("healthy", 1)
    await pass_seconds(world, 1)
    health = record_of(world, container).state.health
    assert health is not None and len(health.log) == 2, "healthy, it is checked at the ordinary interval"


async def test_a_check_through_a_shell_of_its_own(world: World) -> None:
    config = {**check("CMD-SHELL", "exit"), "shell": ("echo", "told")}
    container = await run(world, "sleep", config=config)
    await pass_seconds(world, 1)
    health = record_of(world, container).state.health
    assert health is not None and health.log[0].output == "told exit\n"


async def test_a_paused_container_is_not_checked(world: World) -> None:
    container = await run(world, "sleep", config=check("CMD", "echo"))
    await pause(world.host, container)
    await pass_seconds(world, 3)
    health = record_of(world, container).state.health
    assert health is not None and health.log == ()


async def test_none_switches_the_images_check_off(world: World) -> None:
    container = await run(world, "sleep", config=check("NONE"))
    assert record_of(world, container).state.health is None


async def test_a_check_through_the_shell(world: World) -> None:
    container = await run(world, "sleep", config=check("CMD-SHELL", "echo fine"))
    await pass_seconds(world, 1)
    health = record_of(world, container).state.health
    assert health is not None
    assert 'exec: "/bin/sh": executable file not found' in health.log[0].output


@pytest.mark.parametrize(
    ("before", "code", "starting", "after"),
    [
        (Health(), 1, True, ("starting", 0)),
        (Health(), 0, True, ("healthy", 0)),
        (Health(status="healthy"), 1, True, ("healthy", 1)),
        (Health(status="healthy", failing_streak=2), 1, False, ("unhealthy", 3)),
        (Health(status="unhealthy", failing_streak=9), 0, False, ("healthy", 0)),
    ],
)
def test_judgements(before: Health, code: int, starting: bool, after: tuple[str, int]) -> None:
    health = judge(before, Probe(start=0, end=0, exit_code=code, output=""), starting=starting, retries=3)
    assert (health.status, health.failing_streak) == after


def test_only_the_last_answers_are_kept() -> None:
    health = Health()
    for number in range(9):
        health = judge(health, Probe(start=number, end=0, exit_code=0, output=""), starting=False, retries=3)
    assert [probe.start for probe in health.log] == [4, 5, 6, 7, 8]
