"""Networks."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.resources.requests import NetworkConnect, NetworkCreate, NetworkDisconnect
from zonehost.api.routing import Route
from zonehost.api.shape.network import detail, listed
from zonehost.domain.network import Pool
from zonehost.engine.network.connect import connect
from zonehost.engine.network.create import NetworkRequest, create
from zonehost.engine.network.disconnect import disconnect
from zonehost.engine.network.inspect import inspect
from zonehost.engine.network.listing import list_networks
from zonehost.engine.network.prune import prune
from zonehost.engine.network.remove import remove
from zonehost.errors import NotFound


async def list_all(call: Call) -> web.StreamResponse:
    found = await list_networks(call.host, call.filters())
    form = detail if call.version < (1, 28) else listed
    return answers.document([form(one) for one in found])


async def create_network(call: Call) -> web.StreamResponse:
    body = await call.body(NetworkCreate)
    request = NetworkRequest(
        name=body.name,
        driver=body.driver,
        scope=body.scope,
        ipv4=body.enable_ipv4,
        ipv6=body.enable_ipv6,
        internal=body.internal,
        attachable=body.attachable,
        ingress=body.ingress,
        config_only=body.config_only,
        config_from=body.config_from.network,
        ipam_driver=body.ipam.driver,
        ipam_options=body.ipam.options,
        pools=tuple(
            Pool(
                subnet=pool.subnet,
                ip_range=pool.ip_range,
                gateway=pool.gateway,
                auxiliary=pool.auxiliary_addresses,
            )
            for pool in body.ipam.config
        ),
        options=body.options,
        labels=body.labels,
    )
    made = await create(call.host, request)
    return answers.document({"Id": made.network.id, "Warning": made.warning}, 201)


async def inspect_network(call: Call) -> web.StreamResponse:
    """`verbose` adds what a swarm knows, which is nothing here; `scope` chooses among local and swarm networks."""
    if call.text("scope") not in ("", "local"):
        raise NotFound(f"network {call.name} not found")
    return answers.document(detail(await inspect(call.host, call.name)))


async def connect_container(call: Call) -> web.StreamResponse:
    body = await call.body(NetworkConnect)
    await connect(call.host, call.name, body.container, body.endpoint_config)
    return answers.empty(200)


async def disconnect_container(call: Call) -> web.StreamResponse:
    body = await call.body(NetworkDisconnect)
    await disconnect(call.host, call.name, body.container, force=body.force)
    return answers.empty(200)


async def remove_network(call: Call) -> web.StreamResponse:
    await remove(call.host, call.name)
    return answers.empty()


async def prune_networks(call: Call) -> web.StreamResponse:
    return answers.document({"NetworksDeleted": await prune(call.host, call.filters()) or None})


ROUTES: Final = (
    Route("GET", "/networks", list_all),
    Route("GET", "/networks/", list_all),
    Route("POST", "/networks/create", create_network, verb=True),
    Route("POST", "/networks/prune", prune_networks, verb=True),
    Route("GET", "/networks/{name}", inspect_network),
    Route("POST", "/networks/{name}/connect", connect_container, verb=True),
    Route("POST", "/networks/{name}/disconnect", disconnect_container, verb=True),
    Route("DELETE", "/networks/{name}", remove_network, verb=True),
)
