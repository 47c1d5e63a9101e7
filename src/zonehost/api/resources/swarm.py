"""What belongs to a swarm: swarms, nodes, services, tasks, secrets, configs. This host is never part of one."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from zonehost.api.call import Call
from zonehost.api.routing import Route
from zonehost.errors import Unavailable, Unsupported


async def refuse(call: Call) -> web.StreamResponse:
    """Answer as a Docker that is in no swarm."""
    raise Unavailable(
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node '
        "to swarm and try again."
    )


async def refuse_to_join(call: Call) -> web.StreamResponse:
    raise Unsupported("swarm mode is not supported")


async def refuse_to_leave(call: Call) -> web.StreamResponse:
    raise Unavailable("This node is not part of a swarm")


_AREAS: Final = ("nodes", "services", "tasks", "secrets", "configs")

ROUTES: Final = (
    Route("GET", "/swarm", refuse),
    Route("POST", "/swarm/init", refuse_to_join),
    Route("POST", "/swarm/join", refuse_to_join),
    Route("POST", "/swarm/leave", refuse_to_leave),
    Route("POST", "/swarm/update", refuse),
    Route("GET", "/swarm/unlockkey", refuse),
    Route("POST", "/swarm/unlock", refuse_to_leave),
    *(Route("GET", f"/{area}", refuse) for area in _AREAS),
    *(Route(method, f"/{area}/{{name}}", refuse) for area in _AREAS for method in ("GET", "POST", "DELETE")),
)
