"""zonehost's own: what a zone owns, what is wrong with this host, and its repair."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.routing import Route
from zonehost.engine.container.holdings import Holdings, holdings
from zonehost.engine.doctor.examine import examine
from zonehost.engine.doctor.repair import repair


async def diagnose(call: Call) -> web.StreamResponse:
    return answers.document(await examine(call.host))


async def mend(call: Call) -> web.StreamResponse:
    return answers.document(await repair(call.host))


async def show_zone(call: Call) -> web.StreamResponse:
    return answers.document(_zone(await holdings(call.host, call.name)))


def _zone(owned: Holdings) -> dict[str, Any]:
    record = owned.container
    return {
        "id": record.id,
        "name": record.name,
        "status": record.state.status,
        "blocked": record.state.blocked,
        "first_id": record.state.first_id,
        **msgspec.to_builtins(owned.kernel),
        "network": owned.network,
        "addresses": owned.addresses,
        "ports": owned.ports,
        "datasets": owned.datasets,
        "volumes": owned.volumes,
        "log": owned.log,
    }


ROUTES: Final = (
    Route("GET", "/zonehost/v1/doctor", diagnose),
    Route("POST", "/zonehost/v1/doctor/repair", mend, verb=True),
    Route("GET", "/zonehost/v1/zones/{name}", show_zone),
)
