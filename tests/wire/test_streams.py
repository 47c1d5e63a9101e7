"""Attach, exec, logs and WebSockets on the wire."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.wire.peer import Peer

STDOUT, STDERR = 1, 2


async def test_run_attaches_before_the_start_and_gets_everything(peer: Peer) -> None:
    made = await peer.create("both")
    attached = await peer.hijack(f"/containers/{made}/attach?stream=1&stdout=1&stderr=1")
    assert attached.head.startswith("HTTP/1.1 101 UPGRADED\r\n")
    assert "Content-Type: application/vnd.docker.multiplexed-stream\r\n" in attached.head
    assert (await peer.ask("POST", f"/containers/{made}/start")).status == 204
    assert await attached.frames() == [(STDOUT, b"out\n"), (STDERR, b"err\n")]


async def test_only_what_is_asked_is_sent(peer: Peer) -> None:
    made = await peer.create("both")
    attached = await peer.hijack(f"/containers/{made}/attach?stream=1&stderr=1")
    await peer.ask("POST", f"/containers/{made}/start")
    assert await attached.frames() == [(STDERR, b"err\n")]


async def test_older_clients_get_the_older_media_type(peer: Peer) -> None:
    made = await peer.create("cat")
    attached = await peer.hijack(f"/containers/{made}/attach?stream=1&stdout=1", version="v1.41")
    assert "Content-Type: application/vnd.docker.raw-stream\r\n" in attached.head
    attached.writer.close()


async def test_output_goes_on_after_the_input_has_ended(peer: Peer) -> None:
    made = await peer.create("cat", OpenStdin=True, StdinOnce=True)
    attached = await peer.hijack(f"/containers/{made}/attach?stream=1&stdin=1&stdout=1")
    await peer.ask("POST", f"/containers/{made}/start")
    attached.writer.write(b"hello")
    attached.writer.write_eof()
    assert await attached.frames() == [(STDOUT, b"hello")]
    assert (await peer.ask("POST", f"/containers/{made}/wait")).body["StatusCode"] == 0


async def test_a_guest_that_ends_its_input_leaves_and_the_container_goes_on(peer: Peer) -> None:
    made = await peer.run("cat", OpenStdin=True)
    guest = await peer.hijack(f"/containers/{made}/attach?stream=1&stdin=1&stdout=1")
    guest.writer.write_eof()
    assert await guest.frames() == []
    assert (await peer.ask("GET", f"/containers/{made}/json")).body["State"]["Running"] is True


async def test_the_detach_keys_leave_a_terminal(peer: Peer) -> None:
    made = await peer.run("cat", Tty=True, OpenStdin=True)
    attached = await peer.hijack(f"/containers/{made}/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,b")
    assert "application/vnd.docker.raw-stream" in attached.head
    attached.writer.write(b"typed\x01b")
    assert await attached.reader.read() in (b"typed", b"")
    attached.writer.close()
    events = await peer.send("GET", "/events?since=1&until=1700000001", b"")
    assert b'"Action":"detach"' in events.body


async def test_an_attach_to_a_paused_container_is_refused_before_the_stream(peer: Peer) -> None:
    made = await peer.run("sleep")
    await peer.ask("POST", f"/containers/{made}/pause")
    refused = await peer.hijack(f"/containers/{made}/attach?stream=1&stdout=1")
    assert refused.head.startswith("HTTP/1.1 409 Conflict\r\n")
    refused.writer.close()


@pytest.mark.parametrize(("version", "kind"), [("v1.51", aiohttp.WSMsgType.BINARY), ("v1.27", aiohttp.WSMsgType.TEXT)])
async def test_a_websocket_carries_both_ways(peer: Peer, version: str, kind: aiohttp.WSMsgType) -> None:
    made = await peer.run("cat", Tty=True, OpenStdin=True)
    url = f"http://d/{version}/containers/{made}/attach/ws?stream=1&stdin=1&stdout=1"
    async with peer.session.ws_connect(url) as socket:
        await socket.send_str("hello")
        message = await socket.receive(timeout=5)
        assert message.type is kind
        assert message.data in (b"hello", "hello")


async def test_logs_are_framed_dated_and_cut(peer: Peer) -> None:
    made = await peer.run("both")
    await peer.ask("POST", f"/containers/{made}/wait")
    whole = await peer.ask("GET", f"/containers/{made}/logs?stdout=1&stderr=1")
    assert whole.headers["Content-Type"] == "application/vnd.docker.multiplexed-stream"
    assert whole.body == b"\x01\0\0\0\0\0\0\x04out\n\x02\0\0\0\0\0\0\x04err\n"
    last = await peer.ask("GET", f"/containers/{made}/logs?stdout=1&stderr=1&tail=1")
    assert last.body == b"\x02\0\0\0\0\0\0\x04err\n"
    dated = await peer.ask("GET", f"/containers/{made}/logs?stdout=1&timestamps=1&details=1")
    moment, _, line = dated.body[8:].partition(b" ")
    assert len(moment) == len("2023-11-14T22:13:20.000000001Z")
    assert line == b" out\n"


async def test_logs_that_are_followed_end_with_the_container(peer: Peer) -> None:
    made = await peer.run("cat", OpenStdin=True, Tty=True)
    async with peer.session.get(f"http://d/v1.51/containers/{made}/logs?stdout=1&follow=1") as logs:
        assert logs.headers["Content-Type"] == "application/vnd.docker.raw-stream"
        attached = await peer.hijack(f"/containers/{made}/attach?stream=1&stdin=1&stdout=1")
        attached.writer.write(b"said")
        assert await attached.reader.readexactly(4) == b"said"
        attached.writer.close()
        await peer.ask("POST", f"/containers/{made}/kill")
        assert await logs.read() == b"said"


async def test_an_exec_runs_and_tells_its_code(peer: Peer) -> None:
    zone = await peer.run("sleep", name="one")
    made = await peer.ask(
        "POST", "/containers/one/exec", {"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True, "User": "1"}
    )
    assert made.status == 201
    created = (await peer.ask("GET", f"/exec/{made.body['Id']}/json")).body
    assert (created["Running"], created["ExitCode"], created["ContainerID"]) == (False, None, zone)
    session = await peer.hijack(f"/exec/{made.body['Id']}/start", {"Detach": False, "Tty": False})
    session.writer.write(b"in and out")
    session.writer.write_eof()
    assert await session.frames() == [(STDOUT, b"in and out")]
    ended = (await peer.ask("GET", f"/exec/{made.body['Id']}/json")).body
    assert (ended["Running"], ended["ExitCode"], ended["ProcessConfig"]["user"]) == (False, 0, "1")
    again = await peer.hijack(f"/exec/{made.body['Id']}/start", {})
    assert b"has already run" in await again.reader.read()
    again.writer.close()


async def test_an_exec_that_cannot_run_says_so_in_its_stream(peer: Peer) -> None:
    await peer.run("sleep", name="one")
    made = (await peer.ask("POST", "/containers/one/exec", {"Cmd": ["nothing"], "AttachStdout": True})).body["Id"]
    session = await peer.hijack(f"/exec/{made}/start", {})
    assert b"executable file not found in $PATH" in await session.reader.read()
    session.writer.close()
    assert (await peer.ask("GET", f"/exec/{made}/json")).body["ExitCode"] == 127


async def test_a_detached_exec_answers_at_once(peer: Peer) -> None:
    await peer.run("sleep", name="one")
    made = (await peer.ask("POST", "/containers/one/exec", {"Cmd": ["sleep"], "Tty": True})).body["Id"]
    started = await peer.ask("POST", f"/exec/{made}/start", {"Detach": True, "Tty": True})
    assert (started.status, started.body) == (200, b"")
    assert (await peer.ask("POST", f"/exec/{made}/resize?h=10&w=20")).status == 200
    assert (await peer.ask("GET", "/containers/one/json")).body["ExecIDs"] == [made]


async def test_what_an_exec_is_asked_is_checked(peer: Peer) -> None:
    await peer.run("sleep", name="one")
    no_command = await peer.ask("POST", "/containers/one/exec", {"Cmd": []})
    assert (no_command.status, no_command.message) == (400, "No exec command specified")
    keys = await peer.ask("POST", "/containers/one/exec", {"Cmd": ["cat"], "DetachKeys": "esc"})
    assert (keys.status, keys.message) == (400, "Invalid escape keys (esc) provided")
    assert (await peer.ask("POST", "/exec/nothing/start", {})).status == 404


async def test_events_come_as_they_happen(peer: Peer) -> None:
    async with peer.session.get('http://d/v1.51/events?filters={"type":["container"]}') as events:
        assert events.headers["Content-Type"] == "application/json"
        made = await peer.create("sleep", name="one")
        async with asyncio.timeout(5):
            line = await events.content.readline()
    assert b'"Action":"create"' in line
    assert made.encode() in line
    assert b'"status":"create"' in line
    assert b'"from":"busybox"' in line
