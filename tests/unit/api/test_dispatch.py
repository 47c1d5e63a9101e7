"""From bytes on a socket to a handler and back: versions, unknown pages, errors, bad and slow requests."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import struct
import termios
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from zonehost import errors
from zonehost.api import answers
from zonehost.api.body import read_json
from zonehost.api.call import Call
from zonehost.api.connection import Server
from zonehost.api.delivery import deliver_bytes
from zonehost.api.dispatch import Dispatcher
from zonehost.api.resources.requests import VolumeCreate
from zonehost.api.routing import Route, Table
from zonehost.engine.host import Host
from zonehost.linux.chunked import ChunkedBody, reading


class Site:
    """Handlers that show one thing each, and what became of them."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.begun = asyncio.Event()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        table = Table(
            (
                Route("GET", "/things/json", self.list),
                Route("GET", "/things/{name}/json", self.show),
                Route("POST", "/things/{name}", self.fail),
                Route("PUT", "/things", self.take),
                Route("POST", "/watch", self.wait),
                Route("POST", "/verb", self.wait, verb=True),
                Route("POST", "/upload", self.upload, verb=True),
                Route("POST", "/taken", self.hand_over),
                Route("POST", "/refused", self.refuse_unread),
                Route("GET", "/half", self.break_off),
                Route("GET", "/bug", self.fall),
            )
        )
        self.dispatcher = Dispatcher(cast(Host, None), table)

    async def list(self, call: Call) -> web.StreamResponse:
        return answers.document({"version": str(call.version), "all": call.flag("all"), "limit": call.number("limit")})

    async def show(self, call: Call) -> web.StreamResponse:
        return answers.document({"name": call.name})

    async def fail(self, call: Call) -> web.StreamResponse:
        raise cast(type[errors.ZonehostError], getattr(errors, call.name))("so it is")

    async def take(self, call: Call) -> web.StreamResponse:
        body = await read_json(call.request, VolumeCreate, seconds=0.3)
        return answers.document(body.name if body else None)

    async def upload(self, call: Call) -> web.StreamResponse:
        self.begun.set()
        try:
            async for _ in call.upload():
                pass
        finally:
            self.ended.set_result("left")
        return answers.empty()

    async def hand_over(self, call: Call) -> web.StreamResponse:
        upload = call.upload()
        taken = upload.take()
        assert upload.take() is None
        if taken is None:
            return answers.document("not taken")
        body = ChunkedBody(taken.beginning, reading(taken.connection))
        content = await asyncio.to_thread(lambda: b"".join(body))
        os.close(taken.connection)
        upload.finish()
        return answers.document({"bytes": len(content), "sum": sum(content)})

    async def refuse_unread(self, call: Call) -> web.StreamResponse:
        taken = call.upload().take()
        assert taken is not None
        os.close(taken.connection)
        raise errors.InvalidParameter("not what was wanted")

    async def wait(self, call: Call) -> web.StreamResponse:
        self.begun.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.ended.set_result("cancelled")
            raise
        self.ended.set_result("done")
        return answers.empty()

    async def break_off(self, call: Call) -> web.StreamResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"begin"
            raise errors.SystemFailure("the disk is gone")

        return await deliver_bytes(call.request, answers.TAR, chunks())

    async def fall(self, call: Call) -> web.StreamResponse:
        raise KeyError("nobody foresaw this")


class Client:
    """Speaks bytes."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def raw(self, sent: bytes) -> bytes:
        """Everything that comes back until the server closes."""
        reader, writer = await asyncio.open_unix_connection(self._path)
        writer.write(sent)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        return answer

    async def ask(self, method: str, path: str, *headers: str, body: bytes = b"") -> tuple[int, dict[str, str], Any]:
        lines = [f"{method} {path} HTTP/1.1", "Host: d", "Connection: close", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        return parsed(await self.raw("\r\n".join([*lines, "", ""]).encode() + body))


def parsed(answer: bytes) -> tuple[int, dict[str, str], Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    named = dict(line.split(": ", 1) for line in headers)
    return int(status.split()[1]), named, json.loads(body) if body else None


@pytest.fixture
async def site() -> Site:
    return Site()


@pytest.fixture
async def client(site: Site, tmp_path: Path) -> AsyncIterator[Client]:
    server = Server(site.dispatcher, head_seconds=0.3)
    path = str(tmp_path / "s")
    listener = await asyncio.get_running_loop().create_unix_server(server, path)
    yield Client(path)
    listener.close()
    await server.shutdown(1)


async def test_an_answer_has_dockers_headers_to_the_letter(client: Client) -> None:
    status, headers, body = await client.ask("GET", "/v1.41/things/json?all=1&limit=3")
    assert (status, body) == (200, {"version": "1.41", "all": True, "limit": 3})
    assert headers["Content-Type"] == "application/json"
    assert headers["Api-Version"] == "1.51"
    assert headers["Ostype"] == "linux"
    assert headers["Docker-Experimental"] == "false"
    assert headers["Server"].startswith("zonehost/")


async def test_a_name_may_hold_slashes_and_escapes(client: Client) -> None:
    assert (await client.ask("GET", "/things/docker.io/library/x%3A1/json"))[2] == {"name": "docker.io/library/x:1"}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nothing"), ("DELETE", "/things/json"), ("GET", "/v1.41/"), ("GET", "/")]
)
async def test_an_unknown_page_and_a_wrong_method_are_not_found(client: Client, method: str, path: str) -> None:
    assert (await client.ask(method, path))[::2] == (404, {"message": "page not found"})


async def test_options_are_answered_everywhere(client: Client) -> None:
    assert (await client.ask("OPTIONS", "/anything"))[0] == 200


async def test_a_version_that_is_not_spoken_is_refused(client: Client) -> None:
    status, headers, body = await client.ask("GET", "/v1.99/things/json")
    assert (status, headers["Api-Version"]) == (400, "1.51")
    assert body == {"message": "client version 1.99 is too new. Maximum supported API version is 1.51"}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("InvalidParameter", 400),
        ("Unauthorized", 401),
        ("Forbidden", 403),
        ("NotFound", 404),
        ("Conflict", 409),
        ("RangeNotSatisfiable", 416),
        ("SystemFailure", 500),
        ("Blocked", 500),
        ("Unsupported", 501),
        ("Unavailable", 503),
    ],
)
async def test_an_error_is_one_status_and_one_sentence(client: Client, name: str, status: int) -> None:
    assert (await client.ask("POST", f"/things/{name}"))[::2] == (status, {"message": "so it is"})


async def test_not_modified_has_no_body(client: Client) -> None:
    assert (await client.ask("POST", "/things/NotModified"))[::2] == (304, None)


async def test_a_bug_is_answered_too(client: Client) -> None:
    status, headers, body = await client.ask("GET", "/bug")
    assert (status, headers["Content-Type"]) == (500, "application/json")
    assert body == {"message": "internal error: KeyError: 'nobody foresaw this'"}


async def test_an_answer_that_breaks_off_is_seen_to_be_not_whole(client: Client) -> None:
    answer = await client.raw(b"GET /half HTTP/1.1\r\nHost: d\r\n\r\n")
    assert answer.endswith(b"5\r\nbegin\r\n")


async def test_a_limit_that_is_no_number_is_refused_by_name(client: Client) -> None:
    status, _, body = await client.ask("GET", "/things/json?limit=x")
    assert status == 400
    assert "limit" in body["message"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"Name": "v"}', "application/json", 200),
        (b'{"Name": "v"}', "application/json; charset=utf-8", 200),
        (b'{"Name": "v"}', "text/plain", 400),
        (b"", "text/plain", 400),
        (b'{"Name": 1}', "application/json", 400),
        (b'{"Name": "' + b"x" * (9 << 20) + b'"}', "application/json", 413),
    ],
)
async def test_a_body_is_json_and_of_sensible_size(client: Client, body: bytes, kind: str, status: int) -> None:
    assert (await client.ask("PUT", "/things", f"Content-Type: {kind}", body=body))[0] == status


async def test_no_body_is_no_error(client: Client) -> None:
    assert (await client.ask("PUT", "/things"))[::2] == (200, None)


async def test_who_expects_to_be_told_to_continue_is_told(client: Client) -> None:
    head = b"PUT /things HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n"
    answer = await client.raw(head + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "sent", [b"nonsense\r\n\r\n", b"GET /\x00 HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"]
)
async def test_what_is_no_http_is_answered_with_400(client: Client, sent: bytes) -> None:
    status, headers, body = parsed(await client.raw(sent))
    assert (status, headers["Content-Type"]) == (400, "application/json")
    assert body["message"]


@pytest.mark.parametrize("pause", [0.0, 0.05])
async def test_a_client_that_has_ended_its_side_gets_its_answer(site: Site, client: Client, pause: float) -> None:
    reader, writer = await asyncio.open_unix_connection(client._path)
    writer.write(b"POST /verb HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}")
    await asyncio.sleep(pause)
    writer.write_eof()
    await site.begun.wait()
    site.release.set()
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 204 ")
    writer.close()


async def test_a_client_that_ends_its_side_within_a_body_is_not_waited_for(client: Client) -> None:
    reader, writer = await asyncio.open_unix_connection(client._path)
    writer.write(b"PUT /things HTTP/1.1\r\nHost: d\r\nContent-Length: 50\r\n\r\n{")
    writer.write_eof()
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_a_client_that_ends_its_side_and_then_leaves_is_noticed(site: Site, client: Client) -> None:
    _, writer = await asyncio.open_unix_connection(client._path)
    writer.write(b"POST /watch HTTP/1.1\r\nHost: d\r\n\r\n")
    writer.write_eof()
    await site.begun.wait()
    assert not site.ended.done()
    writer.transport.abort()
    async with asyncio.timeout(5):
        assert await site.ended == "cancelled"


async def test_a_head_that_does_not_end_is_given_up(client: Client) -> None:
    status, _, body = parsed(await client.raw(b"GET /things/json HTTP/1.1\r\nHost:"))
    assert (status, body) == (408, {"message": "the request did not arrive within 0.3 seconds"})


async def test_a_json_body_that_does_not_end_is_given_up(client: Client) -> None:
    head = b"PUT /things HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    reader, writer = await asyncio.open_unix_connection(client._path)
    writer.write(head)
    async with asyncio.timeout(5):
        answer = await reader.readuntil(b"}")
    assert answer.startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_a_connection_that_says_nothing_yet_is_left_in_peace(client: Client) -> None:
    reader, writer = await asyncio.open_unix_connection(client._path)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.6):
            await reader.read()
    writer.close()


async def test_a_call_that_only_watches_ends_with_its_client(client: Client, site: Site) -> None:
    await go_away(client, site, "/watch")
    async with asyncio.timeout(5):
        assert await site.ended == "cancelled"


async def test_a_verb_that_has_begun_is_finished_without_its_client(client: Client, site: Site) -> None:
    await go_away(client, site, "/verb")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await asyncio.shield(site.ended)
    site.release.set()
    async with asyncio.timeout(5):
        assert await site.ended == "done"


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_one_line_of_the_log(
    client: Client, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    await go_away(client, site, "/upload", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n")
    async with asyncio.timeout(5):
        await site.ended
        await site.dispatcher.drain(5)
    await asyncio.sleep(0)
    assert [record.exc_info for record in caplog.records] == [None]


CHUNKED = "Transfer-Encoding: chunked"


async def test_a_chunked_body_can_be_read_off_its_connection(client: Client) -> None:
    body = (b"8000\r\n" + b"\1" * 0x8000 + b"\r\n") * 200 + b"0\r\n\r\n"
    head = f"POST /taken HTTP/1.1\r\nHost: d\r\nConnection: close\r\n{CHUNKED}\r\n\r\n".encode()
    for first in (len(head) - 2, len(head), len(head) + 3, len(head) + 0x8007):
        # Where the head comes in two pieces the body is HTTP's; in all other cases the connection is handed over.
        reader, writer = await asyncio.open_unix_connection(client._path)
        writer.write((head + body)[:first])
        while _unread(writer):  # noqa: ASYNC110 - a socket tells nobody that it was read
            await asyncio.sleep(0)
        writer.write((head + body)[first:])
        async with asyncio.timeout(5):
            status, _, told = parsed(await reader.read())
        writer.close()
        assert status == 200
        if first < len(head):
            assert told == "not taken"
        else:
            assert told == {"bytes": 200 * 0x8000, "sum": 200 * 0x8000}


def _unread(writer: asyncio.StreamWriter) -> int:
    """Bytes that have been written and that the other side has not read (ioctl_tty(2), unix(7))."""
    waiting = writer.transport.get_write_buffer_size()
    (sent,) = struct.unpack("i", fcntl.ioctl(writer.get_extra_info("socket"), termios.TIOCOUTQ, bytes(4)))
    return int(waiting + sent)


async def test_a_body_that_is_not_chunked_is_not_handed_over(client: Client) -> None:
    assert (await client.ask("POST", "/taken", body=b"x"))[2] == "not taken"
    upgrade = f"POST /taken HTTP/1.1\r\nHost: d\r\nConnection: close\r\nUpgrade: tcp\r\n{CHUNKED}\r\n\r\n".encode()
    assert parsed(await client.raw(upgrade + b"0\r\n\r\n"))[2] == "not taken"


async def test_a_connection_ends_with_what_was_read_off_it(client: Client) -> None:
    """Nobody can tell whether the job has read more than the body."""
    head = f"POST /taken HTTP/1.1\r\nHost: d\r\n{CHUNKED}\r\n\r\n".encode()
    status, headers, _ = parsed(await client.raw(head + b"1\r\na\r\n0\r\n\r\n"))
    assert (status, headers["Connection"]) == (200, "close")


async def test_a_chunked_body_that_nobody_takes_is_read_as_ever(client: Client, site: Site) -> None:
    head = f"POST /upload HTTP/1.1\r\nHost: d\r\n{CHUNKED}\r\n\r\n".encode()
    async with asyncio.timeout(5):
        assert parsed(await client.raw(head + b"5\r\nhello\r\n0\r\n\r\n"))[0] == 204
    assert site.ended.result() == "left"


async def test_a_chunked_body_that_nobody_wants_is_answered(client: Client) -> None:
    head = f"POST /nosuch HTTP/1.1\r\nHost: d\r\n{CHUNKED}\r\n\r\n".encode()
    assert parsed(await client.raw(head + b"5\r\nhello\r\n0\r\n\r\n"))[0] == 404


async def test_who_is_still_sending_gets_the_answer(client: Client) -> None:
    """Bytes that a job left unread are no reason to reset the connection."""
    reader, writer = await asyncio.open_unix_connection(client._path)
    writer.write(f"POST /refused HTTP/1.1\r\nHost: d\r\n{CHUNKED}\r\n\r\n".encode())
    async with asyncio.timeout(5):
        for _ in range(100):
            writer.write(b"8000\r\n" + bytes(0x8000) + b"\r\n")
            await writer.drain()
        told = await reader.readuntil(b"wanted")
        writer.close()
    assert told.startswith(b"HTTP/1.1 400")


async def test_draining_ends_watchers_and_waits_for_verbs(client: Client, site: Site) -> None:
    await go_away(client, site, "/verb")
    draining = asyncio.create_task(site.dispatcher.drain(5))
    await asyncio.sleep(0.05)
    assert not draining.done()
    site.release.set()
    await draining
    assert site.ended.result() == "done"


async def go_away(client: Client, site: Site, path: str, *headers: str, body: bytes = b"") -> None:
    """Ask, and leave once the handler has begun."""
    _, writer = await asyncio.open_unix_connection(client._path)
    writer.write("\r\n".join([f"POST {path} HTTP/1.1", "Host: d", *headers, "", ""]).encode() + body)
    await site.begun.wait()
    writer.close()
