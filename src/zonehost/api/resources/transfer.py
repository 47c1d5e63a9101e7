"""/zonehost/v1/send and /receive: snapshots as streams, described in docs/openapi.yaml."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, Final

from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.delivery import deliver, deliver_bytes, json_line
from zonehost.api.errors import status_of
from zonehost.api.handover import Pipe, take_connection, wants_connection
from zonehost.api.hijack import Done
from zonehost.api.routing import Route
from zonehost.api.shape.times import rfc3339
from zonehost.domain.sending import Partial
from zonehost.engine.container.receive import Received, receive
from zonehost.engine.dataset.partial import forget
from zonehost.engine.dataset.send import Sending, prepare, prepare_rest
from zonehost.errors import ZonehostError
from zonehost.linux.byte_stream import DescriptorStream

_log = logging.getLogger(__name__)
_STREAM: Final = "application/vnd.zonehost.stream"
_EACH: Final = 0.5
"""Seconds between two lines of progress."""


async def send_stream(call: Call) -> web.StreamResponse:
    """What cannot be continued is only found out while it is sent: then there is no upgrade, but an error if so."""
    sending = await _prepared(call)
    if wants_connection(call.request) and not sending.head.transfer:
        stream = take_connection(call.request, _STREAM)
        try:
            await sending.write(stream)
        except (ZonehostError, ConnectionError) as error:
            _log.info("a stream of %s was cut: %s", sending.head.of, error)
        finally:
            stream.close()
        return Done()
    pipe = Pipe()
    writing = asyncio.create_task(_write(sending, pipe.write))
    return await deliver_bytes(call.request, _STREAM, pipe.drain(writing))


async def _prepared(call: Call) -> Sending:
    if token := call.text("resume"):
        return await prepare_rest(call.host, token)
    layers, measured = call.flag("layers"), call.flag("measured")
    return await prepare(call.host, call.text("source"), base=call.text("from"), layers=layers, measured=measured)


async def _write(sending: Sending, stream: DescriptorStream) -> None:
    try:
        await sending.write(stream)
    finally:
        stream.close()


async def receive_stream(call: Call) -> web.StreamResponse:
    """On a connection that was taken, the answer is a line of JSON behind the stream."""
    if wants_connection(call.request):
        stream = take_connection(call.request, _STREAM)
        try:
            with suppress(ConnectionError):
                await stream.write(await _told(call, stream))
        finally:
            stream.close()
        return Done()
    pipe = Pipe()
    filling = asyncio.create_task(pipe.fill(aiter(call.upload())))
    try:
        if call.flag("progress"):
            return await deliver(call.request, answers.JSON, _lines(call, pipe), json_line)
        return answers.document(_shape(await receive(call.host, pipe.read, call.text("name"))), 201)
    finally:
        pipe.read.close()
        filling.cancel()
        await asyncio.wait([filling])


async def _lines(call: Call, pipe: Pipe) -> AsyncGenerator[dict[str, Any]]:
    """How many bytes have come, now and then, and in the end what became of them."""
    work = asyncio.create_task(receive(call.host, pipe.read, call.text("name")))
    try:
        while not (await asyncio.wait([work], timeout=_EACH))[0]:
            yield {"received": pipe.passed}
        yield {"received": pipe.passed}
        try:
            yield _shape(work.result())
        except ZonehostError as error:
            yield {"error": str(error)}
    finally:
        work.cancel()
        await asyncio.wait([work])


async def _told(call: Call, stream: DescriptorStream) -> bytes:
    try:
        told: dict[str, Any] = _shape(await receive(call.host, stream, call.text("name")))
    except ZonehostError as error:
        told = {"message": str(error), "status": status_of(error)}
    return answers.encode(told) + b"\n"


async def list_partials(call: Call) -> web.StreamResponse:
    return answers.document([_partial(partial) for partial in call.host.snapshots.partials])


async def forget_partial(call: Call) -> web.StreamResponse:
    await forget(call.host, call.name)
    return answers.empty()


def _shape(received: Received) -> dict[str, Any]:
    return {"Name": received.name, "Snapshot": received.snapshot}


def _partial(partial: Partial) -> dict[str, Any]:
    return {
        "Id": partial.id,
        "Name": partial.name or partial.head.of,
        "Snapshot": partial.head.snapshot.name,
        "SnapshotId": partial.head.snapshot.id,
        "Dataset": partial.position.dataset,
        "Offset": partial.position.offset,
        "Expires": rfc3339(partial.expires),
        "Token": str(partial.token),
    }


ROUTES: Final = (
    Route("POST", "/zonehost/v1/send", send_stream),
    Route("GET", "/zonehost/v1/receive", list_partials),
    Route("POST", "/zonehost/v1/receive", receive_stream),
    Route("DELETE", "/zonehost/v1/receive/{name}", forget_partial),
)
