"""Bringing a container to life: for `docker start`, a restart, a restart policy, and a daemon that comes back.

Order: what can fail without trace (addresses, ports, the blueprint), the intent, the birth with networking beside it,
the clients that wait, the gate. Who calls holds the zone's lock.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

import msgspec

from zonehost.domain.config import Config
from zonehost.domain.container import Container, Health, State, Status
from zonehost.domain.failpoint import failpoint
from zonehost.domain.modes import other_container
from zonehost.domain.network import Endpoint
from zonehost.engine.container.attachments import connect_waiting, give_up_waiting
from zonehost.engine.container.blueprint import draw, namespaces_of
from zonehost.engine.container.endpoints import (
    cleared,
    lease_all,
    plugs_of,
    release_all,
    wanted_ports,
    with_links,
)
from zonehost.engine.container.etc import etc_contents
from zonehost.engine.container.health import checked, watch_health
from zonehost.engine.container.log_watch import forward_log, watch_log
from zonehost.engine.container.mounts import check_folders
from zonehost.engine.container.start_room import room_for_a_start
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.engine.telling import tell_container, tell_network, tell_volume
from zonehost.engine.together import together
from zonehost.errors import Conflict, InvalidParameter, SystemFailure, ZonehostError, explained
from zonehost.ports.machine import PathKind

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
START_FAILED: Final = 128


async def launch(host: Host, zone: Zone, *, restart_count: int | None = None) -> None:
    """Start the container; it runs when this returns, or nothing of the attempt is left but its error.

    Raises:
        InvalidParameter, NotFound, Conflict, SystemFailure…: it cannot start; the state says so too.
    """
    before = zone.record
    try:
        await _launch(host, zone, restart_count)
    except BaseException as error:
        give_up_waiting(zone)
        await _note_failure(host, zone, before, error)
        raise


async def _launch(host: Host, zone: Zone, restart_count: int | None) -> None:
    zone.ended = None
    await _check_ties(host, zone.record)
    async with AsyncExitStack() as undo:
        with explained("failed to set up container networking"):
            endpoints = lease_all(host, zone.record)
            undo.callback(release_all, host, endpoints.values())
            undo.push_async_callback(host.networking.detach, zone.id)
            # For readers, so that nobody removes the networks.
            zone.record = _being_started(zone.record, endpoints, restart_count)
            record = await _with_ports(host, zone.record)
        blueprint = draw(host, record, lent=zone.lent)
        undo.push_async_callback(host.logs.forget, zone.id)
        undo.push_async_callback(host.runtime.remove, zone.id)

        async def plumb(namespace: int) -> None:
            linked = await host.networking.attach(namespace, plugs_of(host, record))
            endpoints.update(with_links(endpoints, linked))
            failpoint("start.plugged")

        private = namespaces_of(record).net == "private"
        async with room_for_a_start(host, record):
            contents = etc_contents(host, record)
            await together(host.keep(zone, record), host.storage.write_etc(zone.id, contents))
            failpoint("start.recorded")
            born = await host.runtime.create(blueprint, plumb if private else None)
        failpoint("start.born")
        await connect_waiting(host, zone)
        await forward_log(host, record, born.pid)
        state = msgspec.structs.replace(
            record.state,
            status=Status.RUNNING,
            starting=False,
            exit_code=0,
            pid=born.pid,
            keeper=born.keeper,
            first_id=born.first_id,
            started_at=host.clock.now(),
            health=Health() if checked(record.config) else None,
        )
        running = msgspec.structs.replace(record, endpoints=endpoints, state=state)
        zone.launched_at = host.clock.uptime()
        await together(host.runtime.start(zone.id), host.keep(zone, running))
        failpoint("start.running")
        undo.pop_all()
    watch_log(host, zone)
    watch_health(host, zone)
    _tell_start(host, running)


def _being_started(record: Container, endpoints: dict[str, Endpoint], restart_count: int | None) -> Container:
    """The record of a start that is about to be made: addresses are held."""
    state = State(
        status=record.state.status,
        starting=True,
        exit_code=record.state.exit_code,
        started_at=record.state.started_at,
        finished_at=record.state.finished_at,
    )
    count = record.restart_count if restart_count is None else restart_count
    return msgspec.structs.replace(record, endpoints=endpoints, state=state, restart_count=count)


async def _with_ports(host: Host, record: Container) -> Container:
    """The record with its host ports, which are held too, and called as it is in this run."""
    plugs = plugs_of(host, record).plugs
    asked = wanted_ports(record) if plugs else {}
    ports = await host.networking.reserve(record.id, record.name, asked, plugs) if asked else ()
    failpoint("start.published")
    state = msgspec.structs.replace(record.state, ports=ports)
    return msgspec.structs.replace(record, config=_named_as_its_network(host, record), state=state)


def _named_as_its_network(host: Host, record: Container) -> Config:
    """The configuration; a container that shares another's network is called as that one, as in Docker."""
    other = other_container(record.host_config.network_mode)
    if not other:
        return record.config
    theirs = host.containers.find(other).record.config
    return msgspec.structs.replace(record.config, hostname=theirs.hostname, domainname=theirs.domainname)


async def _check_ties(host: Host, record: Container) -> None:
    """Whether the zones that it joins run, and the host folders that it mounts are there."""
    wanted = record.host_config
    if other := other_container(wanted.network_mode):
        with explained("joining network namespace of container"):
            tied = host.containers.find(other).record
        if tied.id == record.id:
            raise InvalidParameter("cannot join own network namespace")
        if not tied.state.running:
            why = f"container {tied.name} is {tied.state.status}"
            raise Conflict(f"cannot join network namespace of a non running container: {why}")
    for mode, what in ((wanted.pid_mode, "PID"), (wanted.ipc_mode, "IPC")):
        if not (other := other_container(mode)):
            continue
        tied = host.containers.find(other).record
        with explained(f"failed to join {what} namespace"):
            if not tied.state.running:
                raise SystemFailure(f"container {tied.id} is not running")
            if what == "IPC" and tied.host_config.ipc_mode != "shareable":
                raise InvalidParameter(
                    f"container {tied.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)"
                )
    for point in record.mounts:
        if point.type == "volume":
            host.volumes.find(point.name)
        elif point.type == "bind" and await host.machine.kind(point.source) is PathKind.MISSING:
            if not point.create_source:
                raise InvalidParameter(
                    f'invalid mount config for type "bind": bind source path does not exist: {point.source}'
                )
            await host.machine.make_folder(point.source)
    await check_folders(host, record.mounts)


async def _note_failure(host: Host, zone: Zone, before: Container, error: BaseException) -> None:
    """Put the state back, with what went wrong in it."""
    message = str(error) if isinstance(error, ZonehostError) else "the start was interrupted"
    state = msgspec.structs.replace(
        before.state,
        status=Status.CREATED if before.state.status is Status.CREATED else Status.EXITED,
        exit_code=exit_code_of(message),
        error=message,
    )
    endpoints = {name: cleared(endpoint) for name, endpoint in before.endpoints.items()}
    record = msgspec.structs.replace(zone.record, state=state, endpoints=endpoints)
    zone.record = record
    await host.keep(zone, record)


def exit_code_of(message: str) -> int:
    """What shells say of a program that is not there or cannot be run; Docker tells them apart by the same words."""
    lowered = message.lower()
    if "executable file not found" in lowered or "no such file or directory" in lowered:
        return NOT_FOUND
    if "permission denied" in lowered or "is a directory" in lowered:
        return NOT_EXECUTABLE
    return START_FAILED


def _tell_start(host: Host, record: Container) -> None:
    for name, endpoint in record.endpoints.items():
        network = host.networks.get(endpoint.network)
        if network is not None and name == network.name:
            tell_network(host, "connect", network, container=record.id)
    for point in record.mounts:
        if point.type == "volume":
            tell_volume(
                host,
                "mount",
                point.name,
                container=record.id,
                destination=point.destination,
                propagation=point.propagation,
                **{"read/write": str(point.writable).lower()},
            )
    tell_container(host, record, "start")
