"""Execs: further processes in running containers."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from aiohttp import web

from zonehost.api import answers, detach
from zonehost.api.call import Call
from zonehost.api.framing import multiplexed, raw
from zonehost.api.hijack import Done, Hijacked
from zonehost.api.resources.container_streams import stream_type
from zonehost.api.resources.lifecycle import console_size
from zonehost.api.resources.requests import ExecCreate, ExecStart
from zonehost.api.routing import Route
from zonehost.api.session import join
from zonehost.api.shape.exec import inspected
from zonehost.engine.container.exec import create_exec, inspect_exec, resize_exec, start_exec
from zonehost.engine.state.execs import ExecRequest
from zonehost.errors import InvalidParameter, ZonehostError
from zonehost.ports.streams import Stream


async def make(call: Call) -> web.StreamResponse:
    body = await call.body(ExecCreate)
    _keys(body.detach_keys)
    request = ExecRequest(
        cmd=body.cmd,
        env=body.env,
        user=body.user,
        working_dir=body.working_dir,
        privileged=body.privileged,
        tty=body.tty,
        attach_stdin=body.attach_stdin,
        attach_stdout=body.attach_stdout,
        attach_stderr=body.attach_stderr,
        detach_keys=body.detach_keys,
        console_size=body.console_size,
    )
    return answers.document({"Id": await create_exec(call.host, call.name, request)}, 201)


async def begin(call: Call) -> web.StreamResponse:
    """Run it: by itself, or with the connection as its streams.

    What goes wrong once the connection is taken is said in its stream, as in Docker; the exit code then tells the rest.
    """
    body = await call.optional_body(ExecStart) or ExecStart()
    found = inspect_exec(call.host, call.name)
    if body.detach:
        await start_exec(call.host, call.name, detach=True)
        return answers.empty(200)
    keys = detach.DetachKeys(_keys(found.request.detach_keys)) if body.tty else None
    async with Hijacked.take(call.request, stream_type(call.version, tty=body.tty)) as client:
        try:
            session = await start_exec(
                call.host, call.name, detach=False, console_size=body.console_size if body.tty else None
            )
        except ZonehostError as error:
            said = [(Stream.STDOUT, f"{error}\r\n".encode())]
            with suppress(ConnectionError):
                await client.send((raw if body.tty else multiplexed)(said))
            return Done()
        assert session is not None
        try:
            await join(
                client, session, framed=not body.tty, keys=keys, stdin=found.request.attach_stdin, stays=not body.tty
            )
        finally:
            await session.close()
    return Done()


async def resize(call: Call) -> web.StreamResponse:
    rows, columns = console_size(call)
    await resize_exec(call.host, call.name, rows=rows, columns=columns)
    return answers.empty(200)


async def show(call: Call) -> web.StreamResponse:
    return answers.document(inspected(inspect_exec(call.host, call.name)))


def _keys(text: str) -> bytes:
    try:
        return detach.parse_keys(text)
    except ValueError:
        raise InvalidParameter(f"Invalid escape keys ({text}) provided") from None


ROUTES: Final = (
    Route("POST", "/containers/{name}/exec", make, verb=True),
    Route("POST", "/exec/{name}/start", begin),
    Route("POST", "/exec/{name}/resize", resize, verb=True),
    Route("GET", "/exec/{name}/json", show),
)
