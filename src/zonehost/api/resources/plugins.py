"""Docker's plugins: there are none, and none can be installed."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.routing import Route
from zonehost.errors import NotFound, Unsupported


async def list_all(call: Call) -> web.StreamResponse:
    return answers.document([])


async def refuse(call: Call) -> web.StreamResponse:
    raise Unsupported("plugins are not supported")


async def find_none(call: Call) -> web.StreamResponse:
    raise NotFound(f'plugin "{call.name}" not found')


ROUTES: Final = (
    Route("GET", "/plugins", list_all),
    Route("GET", "/plugins/privileges", refuse),
    Route("POST", "/plugins/pull", refuse),
    Route("POST", "/plugins/create", refuse),
    Route("GET", "/plugins/{name}/json", find_none),
    Route("POST", "/plugins/{name}/pull", refuse),
    *(
        Route("POST", f"/plugins/{{name}}/{verb}", find_none)
        for verb in ("enable", "disable", "upgrade", "push", "set")
    ),
    Route("DELETE", "/plugins/{name}", find_none),
)
