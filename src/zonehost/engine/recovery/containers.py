"""What becomes of each container: by its phase, by whether a start of it was under way, by whether its zone lives."""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from zonehost.domain.container import Container, Health, Status
from zonehost.domain.failpoint import failpoint
from zonehost.domain.host_config_check import storage_quota
from zonehost.domain.phase import Phase
from zonehost.engine.container.discard import discard, dismantle
from zonehost.engine.container.endpoints import cleared
from zonehost.engine.container.exits import settle_exit
from zonehost.engine.container.health import checked, watch_health
from zonehost.engine.container.log_watch import forward_log, watch_log
from zonehost.engine.container.remove import finish_removal
from zonehost.engine.container.start_room import set_limit
from zonehost.engine.host import Host
from zonehost.engine.recovery.report import Recovered
from zonehost.engine.state.zone import Zone
from zonehost.errors import Unavailable
from zonehost.ports.runtime import Exit, Running, Survey

log = logging.getLogger(__name__)
VANISHED: Final = 255
"""The exit code of a zone of which nothing is left, as after a power failure; Docker's is the same."""


def adopt(host: Host, survey: Survey, report: Recovered) -> None:
    """Take over the zones that live, before anything is made or removed: their addresses are theirs."""
    living = {running.zone: running for running in survey.running}
    for zone in host.containers:
        running = living.get(zone.id)
        record = zone.record
        if running is None or record.phase is not Phase.WHOLE or not (record.state.running or record.state.starting):
            continue
        zone.record = _running(host, record, running)
        for endpoint in record.endpoints.values():
            network = host.networks.get(endpoint.network)
            if network is not None:
                host.networks.leases(network).hold(endpoint)
        report.adopted += 1


def _running(host: Host, record: Container, running: Running) -> Container:
    """The record of a zone that lives; of a start that was not noted as done, the rest is noted now."""
    state = msgspec.structs.replace(
        record.state, pid=running.pid, keeper=running.keeper, first_id=running.first_id, starting=False
    )
    if not record.state.running:
        health = Health() if checked(record.config) else None
        state = msgspec.structs.replace(state, status=Status.RUNNING, started_at=host.clock.now(), health=health)
    return msgspec.structs.replace(record, state=state)


async def settle(host: Host, zone: Zone, survey: Survey, report: Recovered) -> None:
    """Bring one container to where a client may see it."""
    record = zone.record
    async with zone.lock:
        if record.phase is Phase.MAKING:
            await _finish_making(host, zone, report)
        elif record.phase is Phase.REMOVING:
            await _finish_removing(host, zone)
            report.finished += 1
        else:
            await _settle_whole(host, zone, survey, report)
            await set_limit(host, record)
    failpoint("recovery.settled")


async def _settle_whole(host: Host, zone: Zone, survey: Survey, report: Recovered) -> None:
    state = zone.record.state
    if state.running and any(running.zone == zone.id for running in survey.running):
        await _go_on(host, zone)
    elif state.running or state.starting:
        await _end(host, zone, survey, report)


async def _finish_making(host: Host, zone: Zone, report: Recovered) -> None:
    """A container that is a clone or brings new volumes is undone: what is in them may be half of it."""
    new = [
        volume
        for point in zone.record.mounts
        if point.type == "volume" and (volume := host.volumes.get(point.name)) and volume.phase is Phase.MAKING
    ]
    if new or zone.record.origin:
        log.info("container %s was not made to its end and is undone", zone.record.short)
        await discard(host, zone, new)
        report.undone += 1
        return
    await host.storage.create_zone(zone.id, quota=storage_quota(zone.record.host_config))
    await host.keep(zone, msgspec.structs.replace(zone.record, phase=Phase.WHOLE))
    report.finished += 1


async def _finish_removing(host: Host, zone: Zone) -> None:
    log.info("the removal of container %s is finished", zone.record.short)
    await dismantle(host, zone.record)
    volumes = (host.volumes.get(point.name) for point in zone.record.mounts if point.type == "volume")
    await finish_removal(host, zone, [volume for volume in volumes if volume and volume.phase is Phase.REMOVING])


async def _go_on(host: Host, zone: Zone) -> None:
    await host.keep(zone, zone.record)
    if zone.record.state.status is Status.PAUSED:
        await host.runtime.pause(zone.id)
    else:
        # A daemon that died while it held the zone still for a moment has left it so.
        await host.runtime.resume(zone.id)
    watch_log(host, zone)
    try:
        await forward_log(host, zone.record, zone.record.state.pid)
    except Unavailable as error:
        log.error("the log of container %s is not passed on: %s", zone.record.short, error)
    watch_health(host, zone)


async def _end(host: Host, zone: Zone, survey: Survey, report: Recovered) -> None:
    """The zone ended while nobody watched, or was never begun."""
    record = zone.record
    ended = next((exit_ for exit_ in survey.ended if exit_.zone == zone.id), None)
    if record.state.starting and ended is None:
        log.info("the start of container %s is undone", record.short)
        await dismantle(host, record)
        state = msgspec.structs.replace(record.state, starting=False, error="the start was interrupted", ports=())
        endpoints = {name: cleared(endpoint) for name, endpoint in record.endpoints.items()}
        await host.keep(zone, msgspec.structs.replace(record, state=state, endpoints=endpoints))
        report.undone += 1
        return
    if record.state.starting:
        state = msgspec.structs.replace(record.state, starting=False, status=Status.RUNNING)
        zone.record = msgspec.structs.replace(record, state=state)
    report.ended += 1
    if ended is None:
        ended = Exit(zone.id, VANISHED, host.clock.now(), oom_killed=False, lost=True)
    log.info("container %s ended with code %d while nobody watched", record.short, ended.code)
    await settle_exit(host, zone, ended)
