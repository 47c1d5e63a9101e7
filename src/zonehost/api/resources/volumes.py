"""Volumes."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.resources.requests import VolumeCreate
from zonehost.api.resources.swarm import refuse
from zonehost.api.routing import Route
from zonehost.api.shape.volume import detail
from zonehost.engine.volume.create import VolumeRequest, create
from zonehost.engine.volume.inspect import inspect
from zonehost.engine.volume.listing import list_volumes
from zonehost.engine.volume.prune import prune
from zonehost.engine.volume.remove import remove
from zonehost.errors import Unsupported


async def list_all(call: Call) -> web.StreamResponse:
    found = await list_volumes(call.host, call.filters())
    return answers.document({"Volumes": [detail(one) for one in found], "Warnings": None})


async def create_volume(call: Call) -> web.StreamResponse:
    body = await call.optional_body(VolumeCreate) or VolumeCreate()
    if body.cluster_volume_spec is not None:
        raise Unsupported("ClusterVolumeSpec is not supported: this host is not part of a cluster")
    request = VolumeRequest(name=body.name, driver=body.driver, options=body.driver_opts, labels=body.labels)
    return answers.document(detail(await create(call.host, request)), 201)


async def inspect_volume(call: Call) -> web.StreamResponse:
    return answers.document(detail(await inspect(call.host, call.name)))


async def remove_volume(call: Call) -> web.StreamResponse:
    await remove(call.host, call.name, force=call.flag("force"))
    return answers.empty()


async def prune_volumes(call: Call) -> web.StreamResponse:
    """Before API 1.42 named volumes were pruned too; since then only if the filter `all` says so."""
    pruned = await prune(call.host, call.filters(), all_unused=call.version < (1, 42))
    return answers.document({"VolumesDeleted": pruned.names or None, "SpaceReclaimed": pruned.space})


ROUTES: Final = (
    Route("GET", "/volumes", list_all),
    Route("POST", "/volumes/create", create_volume, verb=True),
    Route("POST", "/volumes/prune", prune_volumes, verb=True),
    Route("GET", "/volumes/{name}", inspect_volume),
    Route("PUT", "/volumes/{name}", refuse),
    Route("DELETE", "/volumes/{name}", remove_volume, verb=True),
)
