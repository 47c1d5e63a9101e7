"""Streams of zones and of further processes: exact, in order, with their ends."""

from __future__ import annotations

import asyncio
import hashlib
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.runtime.rig import Rig, descriptors, read_all, read_line
from zonehost.errors import Conflict, InvalidParameter
from zonehost.ports.streams import Stream, Streams

_MEBIBYTE = 1 << 20
_MEBIBYTES = 200


def _noise() -> Iterator[bytes]:
    source = random.Random(20)
    block = source.randbytes(_MEBIBYTE)
    for number in range(_MEBIBYTES):
        yield number.to_bytes(8, "big") + block[8:]


async def _pump(streams: Streams) -> str:
    """Write the noise, end the input; the digest of what comes back."""

    async def write() -> None:
        for block in _noise():
            await streams.write(block)
        await streams.close_input()

    writing = asyncio.create_task(write())
    digest = hashlib.sha256()
    while chunks := await streams.read():
        for stream, data in chunks:
            assert stream is Stream.STDOUT
            digest.update(data)
    await writing
    return digest.hexdigest()


def _digest() -> str:
    digest = hashlib.sha256()
    for block in _noise():
        digest.update(block)
    return digest.hexdigest()


async def test_200_mebibytes_through_a_zone_come_back_the_same(rig: Rig) -> None:
    blueprint = rig.blueprint("cat", stdin=True, stdin_once=True, log=None)
    await rig.runtime.create(blueprint)
    streams = await rig.runtime.attach(blueprint.id)
    await rig.runtime.start(blueprint.id)
    assert await _pump(streams) == _digest()
    assert (await rig.next_exit()).code == 0


async def test_200_mebibytes_through_an_exec_come_back_the_same(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    running = await rig.exec(zone, "cat", stdin=True)
    assert await _pump(running.streams) == _digest()
    assert await running.wait() == 0


async def test_both_streams_are_told_apart(rig: Rig) -> None:
    blueprint = rig.blueprint("sh", "-c", "echo out; echo err >&2")
    await rig.runtime.create(blueprint)
    streams = await rig.runtime.attach(blueprint.id)
    await rig.runtime.start(blueprint.id)
    chunks = await read_all(streams)
    assert sorted(chunks) == [(Stream.STDOUT, b"out\n"), (Stream.STDERR, b"err\n")]


async def test_every_client_sees_all_output(rig: Rig) -> None:
    blueprint = rig.blueprint("sh", "-c", "echo one; echo two")
    await rig.runtime.create(blueprint)
    clients = [await rig.runtime.attach(blueprint.id) for _ in range(3)]
    await rig.runtime.start(blueprint.id)
    for client in clients:
        assert b"".join(data for _, data in await read_all(client)) == b"one\ntwo\n"


async def test_a_client_that_does_not_read_holds_nobody_up_for_a_mebibyte(rig: Rig) -> None:
    blueprint = rig.blueprint("sh", "-c", "dd if=/dev/zero bs=1000 count=1000 2>&1; echo done >&2")
    await rig.runtime.create(blueprint)
    idle = await rig.runtime.attach(blueprint.id)
    await rig.runtime.start(blueprint.id)
    assert (await rig.next_exit()).code == 0
    chunks = await read_all(idle)
    assert sum(len(data) for _, data in chunks) > 1_000_000


async def test_a_client_that_goes_does_not_end_anothers_input(rig: Rig) -> None:
    blueprint = rig.blueprint("cat", stdin=True, stdin_once=True)
    await rig.runtime.create(blueprint)
    watcher = await rig.runtime.attach(blueprint.id)
    writer = await rig.runtime.attach(blueprint.id)
    await rig.runtime.start(blueprint.id)
    await watcher.close()
    await writer.write(b"still here\n")
    assert await read_line(writer) == b"still here\n"
    await writer.close_input()
    assert await writer.read() == []
    assert (await rig.next_exit()).code == 0


async def test_input_that_is_not_only_for_one_client_stays_open(rig: Rig) -> None:
    blueprint = rig.blueprint("cat", stdin=True)
    await rig.runtime.create(blueprint)
    await rig.runtime.start(blueprint.id)
    first = await rig.runtime.attach(blueprint.id)
    await first.close()
    second = await rig.runtime.attach(blueprint.id)
    await second.write(b"again\n")
    assert await read_line(second) == b"again\n"


@pytest.mark.parametrize("user", ["root", "ann"])
async def test_a_process_can_open_its_own_streams(rig: Rig, user: str) -> None:
    command = "echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin"
    assert await rig.run("sh", "-c", command, user=user) == (0, "out\nerr\n")
    zone = await rig.start("sleep", "100")
    assert await rig.ask(zone, "sh", "-c", command, user=user) == (0, "out\nerr\n")
    blueprint = rig.blueprint("cat", "/dev/stdin", user=user, stdin=True, stdin_once=True)
    await rig.runtime.create(blueprint)
    streams = await rig.runtime.attach(blueprint.id)
    await rig.runtime.start(blueprint.id)
    await streams.write(b"in\n")
    await streams.close_input()
    assert b"".join(data for _, data in await read_all(streams)) == b"in\n"


async def test_input_that_nobody_takes_any_more_is_lost(rig: Rig) -> None:
    blueprint = rig.blueprint("sh", "-c", "exec <&-; echo closed; exec sleep 100", stdin=True, stdin_once=True)
    await rig.runtime.create(blueprint)
    streams = await rig.runtime.attach(blueprint.id)
    await rig.runtime.start(blueprint.id)
    assert await read_line(streams) == b"closed\n"
    async with asyncio.timeout(10):
        await streams.write(bytes(3 * _MEBIBYTE))


async def test_input_outlives_the_daemon_unless_it_was_for_one_client(rig: Rig) -> None:
    kept = await rig.start("sh", "-c", "read line; exit $line", stdin=True)
    ended = await rig.start("sh", "-c", "read line || exit 3", stdin=True, stdin_once=True)
    await rig.runtime.close()
    runtime = rig.another_runtime()
    survey = await runtime.survey()
    exits = runtime.exits()
    if ended in {running.zone for running in survey.running}:
        assert (await anext(exits)).code == 3
    streams = await runtime.attach(kept)
    await streams.write(b"4\n")
    last = await anext(exits)
    assert (last.zone, last.code) == (kept, 4)


async def test_a_terminal_has_a_size_that_changes(rig: Rig) -> None:
    blueprint = rig.blueprint("sh", "-c", "stty size; read x; stty size", tty=True, console_size=(30, 90), stdin=True)
    await rig.runtime.create(blueprint)
    streams = await rig.runtime.attach(blueprint.id)
    await rig.runtime.start(blueprint.id)
    assert await read_line(streams) == b"30 90\r\n"
    await rig.runtime.resize(blueprint.id, 40, 100)
    await asyncio.sleep(0.1)  # conmon takes the size from its fifo and the line from its socket in no order
    await streams.write(b"\n")
    assert b"".join(data for _, data in await read_all(streams)).endswith(b"40 100\r\n")


async def test_the_same_size_again_is_no_change(rig: Rig) -> None:
    script = "trap 'echo changed' WINCH; echo ready; read x; echo read; read x"
    blueprint = rig.blueprint("sh", "-c", script, tty=True, console_size=(30, 90), stdin=True)
    await rig.runtime.create(blueprint)
    streams = await rig.runtime.attach(blueprint.id)
    await rig.runtime.start(blueprint.id)
    assert await read_line(streams) == b"ready\r\n"
    await rig.runtime.resize(blueprint.id, 30, 90)
    await asyncio.sleep(0.2)
    await streams.write(b"\n\n")
    assert b"changed" not in b"".join(data for _, data in await read_all(streams))


async def test_an_execs_terminal_has_the_size_it_is_given(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    running = await rig.exec(zone, "sh", "-c", "echo ready; read x; stty size", tty=True, stdin=True)
    assert await read_line(running.streams) == b"ready\r\n"
    await running.resize(40, 100)
    await running.streams.write(b"\n")
    output = await read_all(running.streams)
    assert b"".join(data for _, data in output).endswith(b"40 100\r\n")
    assert await running.wait() == 0


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("exit 7", 7), ("kill -15 $$", 143)])
async def test_the_exit_code_of_an_exec(rig: Rig, command: str, code: int) -> None:
    zone = await rig.start("sleep", "100")
    assert await rig.ask(zone, "sh", "-c", command) == (code, "")


async def test_an_exec_can_be_sent_a_signal(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    running = await rig.exec(zone, "sleep", "200")
    await running.kill(signal.SIGTERM)
    assert await running.wait() == 143
    await running.kill(signal.SIGTERM)


async def test_an_exec_has_user_directory_and_environment(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    assert await rig.ask(zone, "sh", "-c", "id -u; pwd; echo $HOME", user="ann", cwd="/tmp") == (
        0,
        "1000\n/tmp\n/home/ann\n",
    )


@pytest.mark.parametrize("tty", [False, True])
async def test_an_exec_of_nothing_fails_in_dockers_words(rig: Rig, tty: bool) -> None:
    zone = await rig.start("sleep", "100")
    with pytest.raises(InvalidParameter, match='exec: "nope": executable file not found in \\$PATH'):
        await rig.exec(zone, "nope", tty=tty)
    with pytest.raises(InvalidParameter, match="unable to find user bob"):
        await rig.exec(zone, "true", tty=tty, user="bob")


async def test_an_exec_whose_client_has_gone_goes_on(rig: Rig) -> None:
    zone = await rig.start("sleep", "100")
    running = await rig.exec(zone, "sh", "-c", "dd if=/dev/zero bs=1000 count=3000; exit 5")
    await running.streams.close()
    assert await running.wait() == 5


async def test_nothing_attaches_to_a_zone_that_has_ended(rig: Rig) -> None:
    zone = await rig.start("true")
    await rig.next_exit()
    for verb in (rig.runtime.attach(zone), rig.exec(zone, "true"), rig.runtime.resize(zone, 1, 1)):
        with pytest.raises(Conflict, match="is not running"):
            await verb


async def test_no_descriptor_is_left_open(rig: Rig) -> None:
    await rig.run("echo", "warm")
    before = descriptors()
    for _ in range(3):
        zone = await rig.start("sleep", "100")
        await rig.ask(zone, "echo", "x")
        await rig.ask(zone, "echo", "x", tty=True)
        with pytest.raises(InvalidParameter):
            await rig.exec(zone, "nope", tty=True)
        await rig.runtime.remove(zone)
        await rig.next_exit()
        with pytest.raises(InvalidParameter):
            await rig.run("nope")
    async with asyncio.timeout(10):  # the fork server's word that a child has ended may come a little later
        while descriptors() != before:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.05)


async def test_a_log_that_was_renamed_is_opened_anew(rig: Rig) -> None:
    blueprint = rig.blueprint("cat", stdin=True)
    assert blueprint.log is not None
    log = Path(blueprint.log)
    await rig.runtime.create(blueprint)
    await rig.runtime.start(blueprint.id)
    streams = await rig.runtime.attach(blueprint.id)
    await streams.write(b"before\n")
    assert await read_line(streams) == b"before\n"
    log.rename(log.with_suffix(".1"))
    await rig.runtime.reopen_log(blueprint.id)
    async with asyncio.timeout(10):
        while not log.exists():  # noqa: ASYNC110 - the keeper says nothing when it has done so
            await asyncio.sleep(0.02)
    await streams.write(b"after\n")
    assert await read_line(streams) == b"after\n"
    assert "before" in log.with_suffix(".1").read_text()
    assert log.read_text().endswith("stdout F after\n")
