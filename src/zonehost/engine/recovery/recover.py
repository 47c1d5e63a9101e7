"""The order of a recovery."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from typing import Final

import msgspec

from zonehost.domain.container import Status
from zonehost.domain.phase import Phase
from zonehost.domain.restart_policy import restarts
from zonehost.engine.container.endpoints import plugs_of, with_links
from zonehost.engine.container.exits import restart_soon, watch_exits
from zonehost.engine.container.launch import launch
from zonehost.engine.container.remove import remove_locked
from zonehost.engine.dataset.schedule import keep_time
from zonehost.engine.host import Host
from zonehost.engine.network.mend import watch_links
from zonehost.engine.network.predefined import ensure_predefined
from zonehost.engine.recovery.containers import adopt, settle
from zonehost.engine.recovery.load import load_records
from zonehost.engine.recovery.report import Recovered
from zonehost.engine.recovery.snapshots import settle_snapshots
from zonehost.engine.recovery.sweep import sweep_disk, sweep_kernel, sweep_records
from zonehost.engine.state.zone import Zone
from zonehost.engine.telling import tell_daemon
from zonehost.engine.together import together
from zonehost.errors import ZonehostError
from zonehost.ports.runtime import Survey

log = logging.getLogger(__name__)
_AT_ONCE: Final = 8
"""Containers that are brought in order, or started, at the same time when the daemon comes."""


async def recover(host: Host, *, start_again: bool = True) -> Recovered:
    """Make the host whole: when this returns, what clients see is what there is, and ends of zones are watched.

    Containers that a policy starts again are started in the background, unless `start_again` is false.

    Raises:
        SystemFailure: the state cannot be read or written.
    """
    report = Recovered()
    loaded = load_records(host)
    report.corrupt = len(loaded.corrupt)
    survey = await host.runtime.survey()
    adopt(host, survey, report)
    await ensure_predefined(host, {running.zone for running in survey.running})
    await sweep_kernel(host, survey, report)
    await _restore_networks(host, survey)
    gate = asyncio.Semaphore(_AT_ONCE)
    await together(*(_settle(host, zone, survey, report, gate) for zone in host.containers))
    await settle_snapshots(host, report)
    await sweep_records(host, report)
    await sweep_disk(host, report, loaded.aside)
    host.spawn(watch_exits(host), "ends of zones")
    host.spawn(watch_links(host), "links of zones")
    host.spawn(keep_time(host), "dates of snapshots")
    host.spawn(host.storage.tend(), "limits of datasets")
    if host.builder is not None:
        await host.builder.settle()
    if start_again:
        _start_again(host, report)
    log.info("recovered: %s", report)
    tell_daemon(host, "recover", **{name: str(count) for name, count in asdict(report).items()})
    return report


async def _restore_networks(host: Host, survey: Survey) -> None:
    """Have bridges, links and the firewall be what the records say; what was linked anew is noted."""
    whole = [network for network in host.networks if network.phase is Phase.WHOLE]
    alive = {running.zone for running in survey.running}
    plugs = [plugs_of(host, zone.record) for zone in host.containers if zone.id in alive]
    renewed = await host.networking.restore(whole, [plug for plug in plugs if plug.plugs])
    for zone_id, linked in renewed.items():
        zone = host.containers.get(zone_id)
        if zone is not None:
            endpoints = with_links(zone.record.endpoints, linked)
            zone.record = msgspec.structs.replace(zone.record, endpoints=endpoints)


async def _settle(host: Host, zone: Zone, survey: Survey, report: Recovered, gate: asyncio.Semaphore) -> None:
    """One container that cannot be brought in order does not keep the others from it."""
    try:
        async with gate:
            await settle(host, zone, survey, report)
    except ZonehostError as error:
        report.failed += 1
        log.error("container %s: %s", zone.record.short, error)


def _start_again(host: Host, report: Recovered) -> None:
    gate = asyncio.Semaphore(_AT_ONCE)
    for zone in host.containers:
        record = zone.record
        if record.phase is not Phase.WHOLE or record.state.running:
            continue
        if record.host_config.auto_remove:
            host.spawn(_remove(host, zone), f"removal of {record.short}")
        elif record.state.status is Status.RESTARTING:
            if zone.restarting is None:
                restart_soon(host, zone)
            report.restarted += 1
        elif _wanted(zone):
            host.spawn(_start(host, zone, gate), f"start of {record.short}")
            report.restarted += 1


def _wanted(zone: Zone) -> bool:
    """Whether its policy starts it with the daemon: as in Docker, `always` also what was stopped by hand."""
    record = zone.record
    policy = record.host_config.restart_policy
    return record.state.status is Status.EXITED and (
        policy.name != "on-failure"
        and restarts(policy, exit_code=record.state.exit_code, restart_count=0, by_hand=record.state.stopped_by_hand)
    )


async def _start(host: Host, zone: Zone, gate: asyncio.Semaphore) -> None:
    async with gate, zone.lock:
        if zone.record.state.status is Status.EXITED:
            await launch(host, zone)


async def _remove(host: Host, zone: Zone) -> None:
    async with zone.lock:
        if not zone.active:
            await remove_locked(host, zone, volumes=True)
