"""What containers say: attach, logs, stats."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from zonehost.api import answers, detach
from zonehost.api.call import Call
from zonehost.api.delivery import deliver, json_line
from zonehost.api.framing import multiplexed, raw
from zonehost.api.hijack import Done, Hijacked
from zonehost.api.routing import Route
from zonehost.api.session import Client, join
from zonehost.api.shape.stats import frame
from zonehost.api.shape.times import rfc3339_fixed
from zonehost.api.version import Version
from zonehost.api.websocket import WebSocket
from zonehost.engine.container.attach import AttachRequest, attach
from zonehost.engine.container.attachments import Attachment
from zonehost.engine.container.logs import LogsRequest, logs
from zonehost.engine.container.stats import stats
from zonehost.errors import InvalidParameter
from zonehost.ports.logs import LogLine


async def attach_container(call: Call) -> web.StreamResponse:
    keys, request = _detach_keys(call), _attach_request(call)
    attachment = await attach(call.host, call.name, request)
    try:
        async with Hijacked.take(call.request, stream_type(call.version, tty=attachment.tty)) as client:
            await _join(client, attachment, keys, framed=not attachment.tty, stdin=request.stdin)
    finally:
        await attachment.close()
    return Done()


async def attach_websocket(call: Call) -> web.StreamResponse:
    keys, request = _detach_keys(call), _attach_request(call)
    attachment = await attach(call.host, call.name, request)
    try:
        client = await WebSocket.open(call)
        await _join(client, attachment, keys, framed=False, stdin=request.stdin)
        await client.response.close()
    finally:
        await attachment.close()
    return client.response


async def show_logs(call: Call) -> web.StreamResponse:
    tail = call.text("tail")
    request = LogsRequest(
        stdout=call.flag("stdout"),
        stderr=call.flag("stderr"),
        follow=call.flag("follow"),
        since=call.timestamp("since"),
        until=call.timestamp("until"),
        tail=int(tail) if tail.isdecimal() else -1,
    )
    reader = await logs(call.host, call.name, request)
    form = raw if reader.tty else multiplexed
    timestamps, details = call.flag("timestamps"), f"{reader.details} ".encode() if call.flag("details") else b""

    def written(batch: list[LogLine]) -> bytes:
        return form([(line.stream, _line(line, timestamps=timestamps, details=details)) for line in batch])

    return await deliver(call.request, stream_type(call.version, tty=reader.tty), reader.batches, written)


async def show_stats(call: Call) -> web.StreamResponse:
    stream, one_shot = call.flag("stream", default=True), call.flag("one-shot")
    if stream and one_shot:
        raise InvalidParameter("cannot have stream=true and one-shot=true")
    frames = await stats(call.host, call.name, stream=stream, one_shot=one_shot)
    return await deliver(call.request, answers.JSON, frames, lambda value: json_line(frame(value)), prompt=False)


def stream_type(version: Version, *, tty: bool) -> str:
    """The media type of output: since API 1.42 it tells whether there are frames in it."""
    return answers.RAW if tty or version < (1, 42) else answers.MULTIPLEXED


def _attach_request(call: Call) -> AttachRequest:
    return AttachRequest(
        logs=call.flag("logs"),
        stream=call.flag("stream"),
        stdin=call.flag("stdin"),
        stdout=call.flag("stdout"),
        stderr=call.flag("stderr"),
    )


def _detach_keys(call: Call) -> bytes:
    text = call.text("detachKeys")
    try:
        return detach.parse_keys(text)
    except ValueError:
        raise InvalidParameter(f"Invalid detach keys ({text}) provided") from None


async def _join(client: Client, attachment: Attachment, keys: bytes, *, framed: bool, stdin: bool) -> None:
    """As in Docker, a client that ends its input ends that of a container with StdinOnce, and leaves any other."""
    tty, config = attachment.tty, attachment.container.config
    watched = detach.DetachKeys(keys) if tty else None
    stays = config.stdin_once and not tty
    if await join(client, attachment, framed=framed, keys=watched, stdin=stdin, stays=stays):
        attachment.detach()


def _line(line: LogLine, *, timestamps: bool, details: bytes) -> bytes:
    """A line with what is asked before it."""
    moment = f"{rfc3339_fixed(line.time)} ".encode() if timestamps else b""
    return b"%b%b%b" % (moment, details, line.data)


ROUTES: Final = (
    Route("POST", "/containers/{name}/attach", attach_container),
    Route("GET", "/containers/{name}/attach/ws", attach_websocket),
    Route("GET", "/containers/{name}/logs", show_logs),
    Route("GET", "/containers/{name}/stats", show_stats),
)
