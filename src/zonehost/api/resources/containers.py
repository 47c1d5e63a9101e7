"""Containers: made, listed, looked at, changed and removed."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.resources.older import READONLY_TO_THE_LEAVES, as_of_today
from zonehost.api.resources.requests import ContainerCreate, prepare_container
from zonehost.api.routing import Route
from zonehost.api.shape.container import inspected
from zonehost.api.shape.container_list import ContainerList
from zonehost.domain.config import Config
from zonehost.domain.host_config import HostConfig
from zonehost.engine.container.changes import changes
from zonehost.engine.container.create import CreateRequest, create
from zonehost.engine.container.inspect import inspect
from zonehost.engine.container.listing import ListRequest, list_containers
from zonehost.engine.container.prune import prune
from zonehost.engine.container.remove import remove
from zonehost.engine.container.rename import rename
from zonehost.engine.container.top import top
from zonehost.engine.container.unlink import unlink
from zonehost.engine.container.update import update
from zonehost.errors import InvalidParameter

_CONFIG_FIELDS: Final = Config.__struct_fields__

_DEPRECATED_MAC: Final = (
    "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead."
)

_list = ContainerList()


async def create_container(call: Call) -> web.StreamResponse:
    given: set[str] = set()

    def prepare(raw: dict[str, Any]) -> None:
        given.update(raw)
        prepare_container(raw)

    body = as_of_today(await call.body(ContainerCreate, prepare), call.version)
    if given <= {"HostConfig", "NetworkingConfig"}:
        raise InvalidParameter("config cannot be empty in order to create a container")
    endpoints = body.networking_config.endpoints_config or {}
    request = CreateRequest(
        name=call.text("name"),
        platform=call.text("platform") if call.version >= (1, 41) else "",
        config=Config(**{name: getattr(body, name) for name in _CONFIG_FIELDS}),
        host_config=body.host_config,
        endpoints={name: settings for name, settings in endpoints.items() if settings is not None},
        recursive_readonly=call.version >= READONLY_TO_THE_LEAVES,
    )
    made = await create(call.host, request)
    deprecated = (_DEPRECATED_MAC,) if body.mac_address and call.version >= (1, 44) else ()
    return answers.document({"Id": made.container.id, "Warnings": (*made.warnings, *deprecated)}, 201)


async def list_all(call: Call) -> web.StreamResponse:
    request = ListRequest(
        all=call.flag("all"),
        limit=call.number("limit", -1),
        size=call.flag("size"),
        filters=call.filters(),
    )
    return answers.encoded(_list.encode(await list_containers(call.host, request), call.version))


async def inspect_container(call: Call) -> web.StreamResponse:
    found = await inspect(call.host, call.name, size=call.flag("size"))
    return answers.document(inspected(found, call.version))


async def show_processes(call: Call) -> web.StreamResponse:
    table = await top(call.host, call.name, call.text("ps_args") or "-ef")
    return answers.document({"Titles": table.titles, "Processes": table.rows})


async def show_changes(call: Call) -> web.StreamResponse:
    found = await changes(call.host, call.name)
    return answers.document([{"Path": change.path, "Kind": change.kind} for change in found])


async def update_container(call: Call) -> web.StreamResponse:
    changes = await call.body(HostConfig)
    if call.version < (1, 40):
        changes = msgspec.structs.replace(changes, pids_limit=None)
    warnings = await update(call.host, call.name, changes)
    return answers.document({"Warnings": warnings})


async def rename_container(call: Call) -> web.StreamResponse:
    await rename(call.host, call.name, call.text("name"))
    return answers.empty()


async def remove_container(call: Call) -> web.StreamResponse:
    if call.flag("link"):
        await unlink(call.host, call.name)
    else:
        await remove(call.host, call.name, force=call.flag("force"), volumes=call.flag("v"))
    return answers.empty()


async def prune_containers(call: Call) -> web.StreamResponse:
    pruned = await prune(call.host, call.filters())
    return answers.document({"ContainersDeleted": pruned.ids or None, "SpaceReclaimed": pruned.space})


ROUTES: Final = (
    Route("GET", "/containers/json", list_all),
    Route("POST", "/containers/create", create_container, verb=True),
    Route("POST", "/containers/prune", prune_containers, verb=True),
    Route("GET", "/containers/{name}/json", inspect_container),
    Route("GET", "/containers/{name}/top", show_processes),
    Route("GET", "/containers/{name}/changes", show_changes),
    Route("POST", "/containers/{name}/update", update_container, verb=True),
    Route("POST", "/containers/{name}/rename", rename_container, verb=True),
    Route("DELETE", "/containers/{name}", remove_container, verb=True),
)
