"""/zonehost/v1/pool and the quota of a container: not Docker's, described in docs/openapi.yaml."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.routing import Route
from zonehost.engine.dataset import pool
from zonehost.engine.dataset.resize import resize
from zonehost.ports.pool import PoolStatus


class Grow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a call to grow the pool."""

    size: int = msgspec.field(name="Size")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a call to change what a container may hold."""

    size: str = msgspec.field(name="Size")


async def status(call: Call) -> web.StreamResponse:
    return answers.document(_shape(await pool.status(call.host)))


async def grow(call: Call) -> web.StreamResponse:
    body = await call.body(Grow)
    return answers.document(_shape(await pool.grow(call.host, body.size)))


async def scrub(call: Call) -> web.StreamResponse:
    report = await pool.scrub(call.host)
    return answers.document(
        {"Bytes": report.bytes, "Errors": report.errors, "UncorrectableErrors": report.uncorrectable}
    )


async def trim(call: Call) -> web.StreamResponse:
    return answers.document({"Bytes": await pool.trim(call.host)})


async def set_size(call: Call) -> web.StreamResponse:
    body = await call.body(Settings)
    await resize(call.host, call.name, body.size)
    return answers.empty()


def _shape(status: PoolStatus) -> dict[str, int | str]:
    return {
        "Size": status.size,
        "Used": status.used,
        "Free": status.free,
        "Device": status.device,
        "Backing": status.backing,
        "Occupied": status.occupied,
    }


ROUTES: Final = (
    Route("GET", "/zonehost/v1/pool", status),
    Route("POST", "/zonehost/v1/pool/grow", grow, verb=True),
    Route("POST", "/zonehost/v1/pool/scrub", scrub, verb=True),
    Route("POST", "/zonehost/v1/pool/trim", trim, verb=True),
    Route("POST", "/zonehost/v1/containers/{name}/set", set_size, verb=True),
)
