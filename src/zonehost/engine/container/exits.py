"""What follows the end of a zone: its kernel objects go, its state says how it ended, a policy may start it again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import msgspec

from zonehost.domain.container import Container, Status
from zonehost.domain.failpoint import failpoint
from zonehost.domain.phase import Phase
from zonehost.domain.restart_policy import next_wait, restarts
from zonehost.domain.volume import Volume
from zonehost.engine.container.attachments import give_up_waiting
from zonehost.engine.container.discard import dismantle
from zonehost.engine.container.ending import ended_state, tell_end
from zonehost.engine.container.endpoints import cleared
from zonehost.engine.container.health import stop_health
from zonehost.engine.container.launch import launch
from zonehost.engine.container.remove import claimed_volumes, finish_removal
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.errors import SystemFailure, ZonehostError
from zonehost.ports.records import Put
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
    zone.ends.ring(ended.code)
    async with zone.lock:
        if zone.ended is ended and zone.record.state.running and zone.record.phase is Phase.WHOLE:
            zone.ended = None
            await settle_exit(host, zone, ended)


async def settle_exit(host: Host, zone: Zone, ended: Exit) -> None:
    """Bring a container whose lock is held, and whose zone ended, into its next state."""
    before = zone.record
    stop_health(zone)
    give_up_waiting(zone)
    host.execs.give_up(zone.id)
    again = not zone.no_restart and restarts(
        before.host_config.restart_policy,
        exit_code=ended.code,
        restart_count=before.restart_count,
        by_hand=before.state.stopped_by_hand,
    )
    leaves = before.host_config.auto_remove and not again and not zone.stays
    after = _after(before, ended, again=again, leaves=leaves)
    with claimed_volumes(host, before, wanted=leaves) as doomed:
        failpoint("exit.seen")
        noted = asyncio.ensure_future(_keep_anyway(host, zone, after, doomed))
        _, blocked = await asyncio.gather(noted, _dismantled(host, before, noted))
    failpoint("exit.recorded")
    tell_end(host, before, ended)
    try:
        if blocked:
            await _keep_anyway(host, zone, _stuck(after, blocked, leaves=leaves))
        elif again:
            restart_soon(host, zone)
        elif leaves:
            await finish_removal(host, zone, doomed)
    finally:
        zone.exits.ring(ended.code)


def _after(before: Container, ended: Exit, *, again: bool, leaves: bool) -> Container:
    """The record of a container whose zone ended."""
    state = ended_state(before, ended)
    if again or leaves:
        state = msgspec.structs.replace(state, status=Status.RESTARTING if again else Status.REMOVING)
    return msgspec.structs.replace(
        before,
        state=state,
        endpoints={name: cleared(endpoint) for name, endpoint in before.endpoints.items()},
        phase=Phase.REMOVING if leaves else before.phase,
    )


def _stuck(after: Container, blocked: str, *, leaves: bool) -> Container:
    """The record of a container of which something cannot be ended: it is neither removed nor started again."""
    state = msgspec.structs.replace(after.state, status=Status.DEAD if leaves else Status.EXITED, blocked=blocked)
    return msgspec.structs.replace(after, state=state)


async def _keep_anyway(host: Host, zone: Zone, record: Container, volumes: Iterable[Volume] = ()) -> None:
    """The zone has ended, whatever the disk says; a daemon that comes back finds out again."""
    try:
        await host.keep(zone, record, *map(Put, volumes))
    except SystemFailure as error:
        log.error("the end of container %s is not on the disk: %s", record.short, error)
        zone.record = record


async def _dismantled(host: Host, before: Container, noted: asyncio.Future[None]) -> str:
    """Dismantle the zone, whose end is being noted; what cannot be taken away, empty if all is gone."""
    try:
        await dismantle(host, before, noted)
    except ZonehostError as error:
        log.error("container %s: %s", before.short, error)
        return str(error)
    return ""


def restart_soon(host: Host, zone: Zone) -> None:
    """Start the container again after a wait that grows with every try, unless its last run was a long one.

    A run that an earlier daemon began is of no account, for its waits are forgotten too.
    """
    zone.restart_wait = next_wait(zone.restart_wait, (host.clock.uptime() - zone.launched_at) / _SECOND)
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
