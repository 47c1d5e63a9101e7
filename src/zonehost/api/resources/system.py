"""The host itself: ping, version, info, events, disk usage, credentials."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.delivery import deliver, json_line
from zonehost.api.resources.requests import Credentials
from zonehost.api.routing import Route
from zonehost.api.shape import system as shape
from zonehost.api.shape.event import event
from zonehost.engine.system.auth import authenticate
from zonehost.engine.system.df import disk_usage
from zonehost.engine.system.events import EventsRequest, events
from zonehost.engine.system.info import info
from zonehost.engine.system.version import version
from zonehost.errors import InvalidParameter

_PING: Final = {
    "Builder-Version": "2",
    "Swarm": "inactive",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Content-Type": "text/plain; charset=utf-8",
}
_DISK_USERS: Final = frozenset({"container", "image", "volume", "build-cache"})


async def ping(call: Call) -> web.StreamResponse:
    body = b"" if call.request.method == "HEAD" else b"OK"
    return web.Response(body=body, headers={**answers.BASE, **_PING})


async def show_version(call: Call) -> web.StreamResponse:
    return answers.document(shape.version(await version(call.host)))


async def show_info(call: Call) -> web.StreamResponse:
    return answers.document(shape.info(await info(call.host), call.version))


async def show_events(call: Call) -> web.StreamResponse:
    since, until = (call.timestamp(bound) if call.text(bound) else None for bound in ("since", "until"))
    if since is not None and until is not None and until < since:
        raise InvalidParameter(
            f"`since` time ({call.text('since')}) cannot be after `until` time ({call.text('until')})"
        )
    with events(call.host, EventsRequest(since=since, until=until, filters=call.filters())) as found:
        return await deliver(call.request, answers.JSON, found, lambda value: json_line(event(value)))


async def show_disk_usage(call: Call) -> web.StreamResponse:
    types = frozenset(call.texts("type"))
    for unknown in types - _DISK_USERS:
        raise InvalidParameter(f"unknown object type: {unknown}")
    used = await disk_usage(call.host, types)
    return answers.document(shape.disk_usage(used, types or _DISK_USERS, call.version))


async def check_credentials(call: Call) -> web.StreamResponse:
    body = await call.body(Credentials)
    checked = await authenticate(
        call.host,
        username=body.username,
        password=body.password,
        server=body.serveraddress,
        identity_token=body.identitytoken,
    )
    return answers.document({"Status": checked.status, "IdentityToken": checked.identity_token})


ROUTES: Final = (
    Route("GET", "/_ping", ping),
    Route("HEAD", "/_ping", ping),
    Route("GET", "/version", show_version),
    Route("GET", "/info", show_info),
    Route("GET", "/events", show_events),
    Route("GET", "/system/df", show_disk_usage),
    Route("POST", "/auth", check_credentials, verb=True),
)
