"""The API as one thing: its routes, and the server that speaks HTTP for them. The daemon binds it to sockets."""

from __future__ import annotations

from typing import Final

from zonehost.api.connection import Connection, Server
from zonehost.api.dispatch import Dispatcher
from zonehost.api.resources import (
    build,
    buildkit,
    container_files,
    container_streams,
    containers,
    doctor,
    exec,
    images,
    lifecycle,
    networks,
    plugins,
    pool,
    registry,
    snapshots,
    swarm,
    system,
    transfer,
    volumes,
)
from zonehost.api.routing import Route, Table
from zonehost.engine.host import Host

ROUTES: Final[tuple[Route, ...]] = (
    *system.ROUTES,
    *containers.ROUTES,
    *lifecycle.ROUTES,
    *container_streams.ROUTES,
    *container_files.ROUTES,
    *exec.ROUTES,
    *registry.ROUTES,
    *images.ROUTES,
    *build.ROUTES,
    *volumes.ROUTES,
    *networks.ROUTES,
    *swarm.ROUTES,
    *plugins.ROUTES,
    *pool.ROUTES,
    *snapshots.ROUTES,
    *transfer.ROUTES,
    *doctor.ROUTES,
)


class Api:
    """Docker's API over one host. Make it in the loop that serves it."""

    def __init__(self, host: Host) -> None:
        self._dispatcher = Dispatcher(host, Table((*ROUTES, *buildkit.BuildKitRoutes().routes())))
        self._server = Server(self._dispatcher)

    def connection(self) -> Connection:
        """The protocol of a connection that comes in: what `loop.create_server` asks for."""
        return self._server()

    async def close(self, seconds: float) -> None:
        """Take no further requests, let go of all clients, and give verbs that have begun so long to end."""
        self._server.pre_shutdown()
        await self._dispatcher.drain(seconds)
        await self._server.shutdown(timeout=1.0)
