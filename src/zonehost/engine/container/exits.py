"""What follows the end of a zone: its kernel objects go, its state says how it ended, a policy may start it again."""

from __future__ import annotations

import logging

import msgspec

from zonehost.domain.container import Container, Status
from zonehost.domain.failpoint import failpoint
from zonehost.domain.phase import Phase
from zonehost.domain.restart_policy import next_wait, restarts
from zonehost.engine.container.attachments import give_up_waiting
from zonehost.engine.container.discard import dismantle
from zonehost.engine.container.ending import ended_state, tell_end
from zonehost.engine.container.endpoints import cleared
from zonehost.engine.container.health import stop_health
from zonehost.engine.container.launch import launch
from zonehost.engine.container.remove import finish_removal
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.engine.together import together
from zonehost.errors import Blocked, SystemFailure, ZonehostError
from zonehost.ports.runtime import Exit

log = logging.getLogger(__name__)
_SECOND = 1_000_000_000


async def watch_exits(host: Host) -> None:
    """Deal with the end of every zone, each beside the others, for as long as the daemon runs."""
    async for ended in host.runtime.exits():
        zone = host.containers.get(ended.zone)
        if zone is not None:
            host.spawn(handle_exit(host, zone, ended), f"end of {zone.record.short}")


async def handle_exit(host: Host, zone: Zone, ended: Exit) -> None:
    """Bring a container whose zone ended into its next state."""
    zone.ended = ended
    async with zone.lock:
        if zone.ended is ended and zone.record.state.running and zone.record.phase is Phase.WHOLE:
            zone.ended = None
            await settle_exit(host, zone, ended)


async def settle_exit(host: Host, zone: Zone, ended: Exit) -> None:
    """Bring a container whose lock is held, and whose zone ended, into its next state."""
    before = zone.record
    stop_health(zone)
    give_up_waiting(zone)
    state = ended_state(before, ended)
    endpoints = {name: cleared(endpoint) for name, endpoint in before.endpoints.items()}
    again = not zone.no_restart and restarts(
        before.host_config.restart_policy,
        exit_code=ended.code,
        restart_count=before.restart_count,
        by_hand=before.state.stopped_by_hand,
    )
    leaves = before.host_config.auto_remove and not again and not zone.stays
    if again:
        state = msgspec.structs.replace(state, status=Status.RESTARTING)
    elif leaves:
        state = msgspec.structs.replace(state, status=Status.REMOVING)
    record = msgspec.structs.replace(
        before, state=state, endpoints=endpoints, phase=Phase.REMOVING if leaves else before.phase
    )
    failpoint("exit.seen")
    await together(_keep_anyway(host, zone, record), _dismantle(host, zone, before))
    failpoint("exit.recorded")
    tell_end(host, before, ended)
    if again:
        restart_soon(host, zone, (ended.time - before.state.started_at) / _SECOND)
    try:
        if leaves:
            await finish_removal(host, zone, volumes=True)
    finally:
        zone.exits.ring(ended.code)


async def _keep_anyway(host: Host, zone: Zone, record: Container) -> None:
    """The zone has ended, whatever the disk says; a daemon that comes back finds out again."""
    try:
        await host.keep(zone, record)
    except SystemFailure as error:
        log.error("the end of container %s is not on the disk: %s", record.short, error)
        zone.record = record


async def _dismantle(host: Host, zone: Zone, before: Container) -> None:
    try:
        await dismantle(host, before)
    except Blocked as error:
        log.error("container %s: %s", before.short, error)
        state = msgspec.structs.replace(zone.record.state, blocked=str(error))
        zone.record = msgspec.structs.replace(zone.record, state=state)


def restart_soon(host: Host, zone: Zone, ran: float = 0.0) -> None:
    """Start the container again after a wait that grows with every try; `ran` is seconds of its last run."""
    zone.restart_wait = next_wait(zone.restart_wait, ran)
    zone.restarting = host.spawn(_restart(host, zone, zone.restart_wait), f"restart of {zone.record.short}")


async def _restart(host: Host, zone: Zone, wait: float) -> None:
    await host.clock.sleep(wait)
    async with zone.lock:
        zone.restarting = None
        if zone.record.state.status is not Status.RESTARTING:
            return
        try:
            await launch(host, zone, restart_count=zone.record.restart_count + 1)
        except ZonehostError as error:
            log.warning("container %s is not started again: %s", zone.record.short, error)
            zone.exits.ring(zone.record.state.exit_code)
