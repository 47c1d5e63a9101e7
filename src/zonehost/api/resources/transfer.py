"""/zonehost/v1/send and /receive: snapshots as streams, described in docs/openapi.yaml."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.delivery import deliver_bytes
from zonehost.api.routing import Route
from zonehost.engine.container.receive import receive
from zonehost.engine.dataset.send import send
from zonehost.errors import InvalidParameter

_STREAM: Final = "application/vnd.zonehost.stream"


async def send_stream(call: Call) -> web.StreamResponse:
    stream = await send(call.host, call.text("source"), base=call.text("from"), layers=call.flag("layers"))
    return await deliver_bytes(call.request, _STREAM, stream)


async def receive_stream(call: Call) -> web.StreamResponse:
    try:
        received = await receive(call.host, call.upload(), call.text("name"))
    except ConnectionError as error:
        raise InvalidParameter(f"the stream was cut: {error}") from error
    return answers.document({"Name": received.name, "Snapshot": received.snapshot}, 201)


ROUTES: Final = (
    Route("POST", "/zonehost/v1/send", send_stream),
    Route("POST", "/zonehost/v1/receive", receive_stream),
)
