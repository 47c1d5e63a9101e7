"""Clients on streams: attached before and after the birth, execs, logs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.fakes.host import World
from tests.unit.engine.steps import actions, ended, make, quiet, record_of, run
from zonehost.domain.event import Event
from zonehost.domain.filters import Filters
from zonehost.domain.host_config import LogConfig
from zonehost.engine.container.attach import AttachRequest, attach
from zonehost.engine.container.attachments import Attachment
from zonehost.engine.container.blueprint import overridden
from zonehost.engine.container.exec import create_exec, inspect_exec, resize_exec, start_exec
from zonehost.engine.container.kill import kill
from zonehost.engine.container.logs import LogsRequest, logs
from zonehost.engine.container.pause import pause
from zonehost.engine.container.remove import remove
from zonehost.engine.container.start import start
from zonehost.engine.network.create import NetworkRequest
from zonehost.engine.network.create import create as create_network
from zonehost.engine.state.execs import ExecRequest
from zonehost.engine.system.events import EventsRequest, events
from zonehost.errors import Conflict, InvalidParameter, NotFound, Unsupported
from zonehost.ports.streams import Stream

FAR = 2**62
_ALL = AttachRequest(stream=True, stdin=True, stdout=True, stderr=True)


async def rest(session: Attachment) -> bytes:
    """All that is still to come."""
    data = b""
    while chunks := await session.read():
        data += b"".join(chunk for _, chunk in chunks)
    return data


async def test_who_attached_before_the_start_gets_the_first_byte(world: World) -> None:
    record = await make(world, "echo", "hello")
    session = await attach(world.host, record.id, _ALL)
    await start(world.host, record.id)
    assert await rest(session) == b"hello\n"
    await session.close()


async def test_who_saw_the_end_of_the_output_finds_the_container_ended(world: World) -> None:
    record = await make(world, "exit", "3")
    session = await attach(world.host, record.id, _ALL)
    await start(world.host, record.id)
    assert await session.read() == []
    state = record_of(world, record.id).state
    assert (state.running, state.exit_code) == (False, 3)


async def test_only_the_streams_that_were_asked_for_come(world: World) -> None:
    record = await make(world, "both")
    session = await attach(world.host, record.id, AttachRequest(stream=True, stderr=True))
    await start(world.host, record.id)
    assert await session.read() == [(Stream.STDERR, b"err\n")]
    assert await session.read() == []


async def test_a_start_that_fails_ends_the_streams_of_those_who_wait(world: World) -> None:
    record = await make(world, "nonsense")
    session = await attach(world.host, record.id, _ALL)
    with pytest.raises(InvalidParameter):
        await start(world.host, record.id)
    assert await session.read() == []


async def test_a_removal_ends_the_streams_of_those_who_wait(world: World) -> None:
    record = await make(world, "sleep")
    session = await attach(world.host, record.id, _ALL)
    await remove(world.host, record.id)
    assert await session.read() == []


async def test_input_ends_once_where_it_is_wanted_once(world: World) -> None:
    container = await run(world, "cat", config={"open_stdin": True, "stdin_once": True})
    session = await attach(world.host, container, _ALL)
    await session.write(b"data")
    await session.close_input()
    assert await rest(session) == b"data"


async def test_input_of_a_container_that_has_none_is_lost(world: World) -> None:
    container = await run(world, "cat")
    session = await attach(world.host, container, _ALL)
    await session.write(b"data")
    await quiet()
    assert world.runtime.zones[container].process.input.empty()


async def test_what_was_said_before_comes_first(world: World) -> None:
    container = await run(world, "both")
    await ended(world, container)
    session = await attach(world.host, container, AttachRequest(logs=True, stdout=True))
    assert await rest(session) == b"out\n"


async def test_a_paused_container_is_not_attached_to(world: World) -> None:
    container = await run(world, "sleep")
    await pause(world.host, container)
    with pytest.raises(Conflict, match="unpause the container before attach"):
        await attach(world.host, container, _ALL)


async def test_logs_of_one_stream_and_their_tail(world: World) -> None:
    container = await run(world, "both")
    await ended(world, container)
    reader = await logs(world.host, container, LogsRequest(stdout=False, stderr=True))
    assert [line.data async for batch in reader.batches for line in batch] == [b"err\n"]
    reader = await logs(world.host, container, LogsRequest(stdout=True, stderr=True, tail=1))
    assert [line.data async for batch in reader.batches for line in batch] == [b"err\n"]
    with pytest.raises(InvalidParameter, match="you must choose at least one stream"):
        await logs(world.host, container, LogsRequest(stdout=False, stderr=False))


async def test_logs_are_followed_to_the_end_of_the_container(world: World) -> None:
    container = await run(world, "sleep")
    reader = await logs(world.host, container, LogsRequest(stdout=True, stderr=True, follow=True))

    async def collect() -> list[bytes]:
        return [line.data async for batch in reader.batches for line in batch]

    collecting = asyncio.create_task(collect())
    await quiet()
    world.runtime.zones[container].process.say(b"late\n")
    await kill(world.host, container)
    assert await collecting == [b"late\n"]


async def test_a_container_without_a_log_says_so(world: World) -> None:
    container = await run(world, "both", log_config=LogConfig(type="none"))
    assert world.runtime.zones[container].blueprint.log is None
    with pytest.raises(Unsupported, match="does not support reading"):
        await logs(world.host, container, LogsRequest(stdout=True, stderr=True))


async def test_an_exec_has_the_containers_environment_and_its_own(world: World) -> None:
    container = await run(world, "sleep", config={"env": ("A=1", "B=2"), "user": "worker", "working_dir": "/w"})
    request = ExecRequest(cmd=("echo", "x"), env=("B=3",), attach_stdout=True)
    exec_id = await create_exec(world.host, container, request)
    session = await start_exec(world.host, exec_id, detach=False)
    assert session is not None
    assert await session.read() == [(Stream.STDOUT, b"x\n")]
    assert await session.read() == []
    found = inspect_exec(world.host, exec_id)
    assert (found.state, found.exit_code) == ("exited", 0)
    process = world.runtime.zones[container].execs[0].asked
    assert (process.user, process.cwd) == ("worker", "/w")
    assert process.env[1:] == (f"HOSTNAME={container[:12]}", "A=1", "B=3")
    assert [action.partition(":")[0] for action in actions(world)[-3:]] == ["exec_create", "exec_start", "exec_die"]


@pytest.mark.parametrize(
    ("by", "left"),
    [
        (("C=3",), ("PATH=/bin", "A=1", "C=3")),
        (("PATH=/opt", "B"), ("PATH=/opt", "A=1")),
        (("A", "A=2", "A=3"), ("PATH=/bin", "A=3")),
    ],
)
def test_a_variable_keeps_its_place_and_has_its_last_value(by: tuple[str, ...], left: tuple[str, ...]) -> None:
    assert overridden(("PATH=/bin", "A=1"), by) == left


async def test_an_exec_runs_once(world: World) -> None:
    container = await run(world, "sleep")
    exec_id = await create_exec(world.host, container, ExecRequest(cmd=("exit", "4")))
    assert await start_exec(world.host, exec_id, detach=True) is None
    await quiet()
    assert inspect_exec(world.host, exec_id).exit_code == 4
    with pytest.raises(Conflict, match="has already run"):
        await start_exec(world.host, exec_id, detach=True)


async def test_an_exec_of_what_is_not_there_has_dockers_code(world: World) -> None:
    container = await run(world, "sleep")
    exec_id = await create_exec(world.host, container, ExecRequest(cmd=("nonsense",)))
    with pytest.raises(InvalidParameter, match="executable file not found"):
        await start_exec(world.host, exec_id, detach=False)
    assert inspect_exec(world.host, exec_id).exit_code == 127


async def test_what_cannot_be_run_is_refused(world: World) -> None:
    container = await run(world, "sleep")
    with pytest.raises(InvalidParameter, match="No exec command specified"):
        await create_exec(world.host, container, ExecRequest(cmd=()))
    with pytest.raises(InvalidParameter, match="Cwd must be an absolute path"):
        await create_exec(world.host, container, ExecRequest(cmd=("echo",), working_dir="here"))
    with pytest.raises(NotFound, match="No such exec instance"):
        await start_exec(world.host, "0" * 64, detach=True)
    stopped = await make(world, "sleep")
    with pytest.raises(Conflict, match="is not running"):
        await create_exec(world.host, stopped.id, ExecRequest(cmd=("echo",)))


async def test_a_resize_waits_for_the_start_but_not_for_ever(world: World) -> None:
    container = await run(world, "sleep")
    execs = [await create_exec(world.host, container, ExecRequest(cmd=("sleep",), tty=True)) for _ in range(2)]
    resizes = [asyncio.ensure_future(resize_exec(world.host, one, rows=5, columns=7)) for one in execs]
    await quiet()
    assert await start_exec(world.host, execs[0], detach=True) is None
    await resizes[0]
    assert world.runtime.zones[container].execs[0].size == (5, 7)
    world.clock.advance(10)
    with pytest.raises(Conflict, match="is not running"):
        await resizes[1]


async def test_a_paused_container_is_named_as_the_client_named_it(world: World) -> None:
    container = await run(world, "sleep", name="asleep")
    before = await create_exec(world.host, container, ExecRequest(cmd=("true",)))
    await pause(world.host, container)
    for ref in ("asleep", container):
        with pytest.raises(Conflict, match=f"^Container {ref} is paused, unpause the container before exec$"):
            await create_exec(world.host, ref, ExecRequest(cmd=("true",)))
    with pytest.raises(Conflict, match=f"^Container {container} is paused"):
        await start_exec(world.host, before, detach=True)


async def test_an_exec_that_was_not_started_ends_with_its_container(world: World) -> None:
    container = await run(world, "sleep")
    ran, waits = [await create_exec(world.host, container, ExecRequest(cmd=("exit", "0"))) for _ in range(2)]
    await start_exec(world.host, ran, detach=True)
    await kill(world.host, container)
    await start(world.host, container)
    with pytest.raises(NotFound, match=f"No such exec instance: {waits}"):
        await start_exec(world.host, waits, detach=True)
    assert inspect_exec(world.host, ran).id == ran


async def test_a_child_that_holds_the_output_does_not_hold_the_client(world: World) -> None:
    """The session ends a moment after the process, though its streams stay open."""
    container = await run(world, "sleep")
    exec_id = await create_exec(world.host, container, ExecRequest(cmd=("sleep",), attach_stdout=True))
    session = await start_exec(world.host, exec_id, detach=False)
    assert session is not None
    process = world.runtime.zones[container].execs[0]
    process.exit.set_result(0)
    reading = asyncio.create_task(session.read())
    await quiet()
    assert not reading.done()
    world.clock.advance(2)
    assert await reading == []
    await session.close()


@pytest.mark.parametrize(
    ("since", "until", "told"), [(0, None, True), (0, 0, False), (None, FAR, True), (1, FAR, True), (FAR, None, False)]
)
async def test_either_bound_asks_for_what_was(world: World, since: int | None, until: int | None, told: bool) -> None:
    await make(world, "sleep", name="made")
    with events(world.host, EventsRequest(since=since, until=until)) as found:
        first = asyncio.ensure_future(anext(aiter(found), None))
        await quiet()
        assert (first.done() and first.result() is not None) is told
        first.cancel()


@pytest.mark.parametrize(("wanted", "told"), [("tool", ["create"]), ("tool:latest", []), ("too", []), ("nothing", [])])
async def test_events_of_containers_are_events_of_their_image(world: World, wanted: str, told: list[str]) -> None:
    await make(world, "sleep", name="made")
    await create_network(world.host, NetworkRequest(name="tool"))
    with events(world.host, EventsRequest(until=FAR, filters=Filters({"image": (wanted,)}))) as found:
        seen: list[str] = []
        reading = asyncio.ensure_future(_gather(found, seen))
        await quiet()
        assert seen == told
        reading.cancel()


async def _gather(found: AsyncIterator[Event], seen: list[str]) -> None:
    async for event in found:
        seen.append(event.action)


async def test_who_leaves_before_the_first_event_is_forgotten(world: World) -> None:
    with events(world.host, EventsRequest()):
        assert len(world.host.events) == 1
    assert len(world.host.events) == 0
