"""Health checks: a command in the zone, run again and again, and what its answers say of the container."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

import msgspec

from zonehost.domain.blueprint import ExecPlan
from zonehost.domain.config import Config, Healthcheck
from zonehost.domain.container import Container, Health, Probe, Status
from zonehost.domain.durations import format_duration
from zonehost.domain.identity import new_id
from zonehost.domain.signals import SIGKILL
from zonehost.engine.container.exec_plan import plan_exec
from zonehost.engine.host import Host
from zonehost.engine.state.execs import ExecRequest
from zonehost.engine.state.zone import Zone
from zonehost.engine.telling import tell_container
from zonehost.errors import SystemFailure, ZonehostError
from zonehost.ports.records import Put

log = logging.getLogger(__name__)
_SECOND: Final = 1_000_000_000
_INTERVAL: Final = 30 * _SECOND
_TIMEOUT: Final = 30 * _SECOND
_START_INTERVAL: Final = 5 * _SECOND
_RETRIES: Final = 3
_SHELL: Final = ("/bin/sh", "-c")
_OUTPUT_KEPT: Final = 4096
_PROBES_KEPT: Final = 5
_FAILED: Final = 1
_NO_ANSWER: Final = -1


@dataclass(frozen=True, slots=True)
class _Schedule:
    """A health check with its defaults; times in nanoseconds."""

    command: tuple[str, ...]
    interval: int
    timeout: int
    start_period: int
    start_interval: int
    retries: int


def checked(config: Config) -> bool:
    """Whether the container has a health check."""
    return _command(config) is not None


def watch_health(host: Host, zone: Zone) -> None:
    """Begin to check a container that runs, if it has a health check."""
    stop_health(zone)
    command = _command(zone.record.config)
    if command is None:
        return
    check = zone.record.config.healthcheck or Healthcheck()
    schedule = _Schedule(
        command,
        check.interval or _INTERVAL,
        check.timeout or _TIMEOUT,
        check.start_period,
        check.start_interval or _START_INTERVAL,
        check.retries or _RETRIES,
    )
    zone.health_check = host.spawn(_watch(host, zone, schedule), f"health of {zone.record.short}")


def stop_health(zone: Zone) -> None:
    """End the checks. Idempotent."""
    if zone.health_check is not None:
        zone.health_check.cancel()
        zone.health_check = None


def judge(before: Health, probe: Probe, *, starting: bool, retries: int) -> Health:
    """What a probe's answer makes of the health; failures in the start period do not count."""
    log = (*before.log, probe)[-_PROBES_KEPT:]
    if probe.exit_code == 0:
        return Health(status="healthy", failing_streak=0, log=log)
    if starting and before.status == "starting":
        return msgspec.structs.replace(before, log=log)
    streak = before.failing_streak + 1
    return Health(status="unhealthy" if streak >= retries else before.status, failing_streak=streak, log=log)


def _command(config: Config) -> tuple[str, ...] | None:
    test = config.healthcheck.test if config.healthcheck is not None else None
    if not test or test[0] == "NONE":
        return None
    return (*(config.shell or _SHELL), test[1]) if test[0] == "CMD-SHELL" else test[1:]


async def _watch(host: Host, zone: Zone, schedule: _Schedule) -> None:
    while zone.record.state.running:
        starting = _starting(host, zone.record, schedule)
        await host.clock.sleep((schedule.start_interval if starting else schedule.interval) / _SECOND)
        if not zone.record.state.running:
            return
        if zone.record.state.status is Status.PAUSED:
            continue
        starting = _starting(host, zone.record, schedule)
        probe = await _probe(host, zone, schedule)
        await _note(host, zone, probe, starting=starting, retries=schedule.retries)


def _starting(host: Host, record: Container, schedule: _Schedule) -> bool:
    health = record.state.health
    young = host.clock.now() - record.state.started_at < schedule.start_period
    return young and health is not None and health.status == "starting"


async def _note(host: Host, zone: Zone, probe: Probe, *, starting: bool, retries: int) -> None:
    """In memory at once; a change of the status is written before it is told, for a daemon that comes back."""
    before = zone.record.state.health
    if before is None or not zone.record.state.running:
        return
    health = judge(before, probe, starting=starting, retries=retries)
    zone.record = msgspec.structs.replace(zone.record, state=msgspec.structs.replace(zone.record.state, health=health))
    if health.status != before.status:
        try:
            await host.records.commit(Put(zone.record))
        except SystemFailure as error:
            log.error("the health of container %s is not on the disk: %s", zone.record.short, error)
        tell_container(host, zone.record, f"health_status: {health.status}")


async def _probe(host: Host, zone: Zone, schedule: _Schedule) -> Probe:
    start = host.clock.now()
    request = ExecRequest(cmd=schedule.command, attach_stdout=True, attach_stderr=True)
    plan = plan_exec(host, zone.record, new_id(), request, tied=True)
    try:
        code, output = await _run(host, plan, schedule.timeout)
    except ZonehostError as error:
        code, output = _FAILED, str(error)
    return Probe(start=start, end=host.clock.now(), exit_code=code, output=output)


async def _run(host: Host, plan: ExecPlan, timeout: int) -> tuple[int, str]:
    process = await host.runtime.exec(plan)
    output = bytearray()

    async def drain() -> int:
        while chunks := await process.streams.read():
            for _, data in chunks:
                output.extend(data[: _OUTPUT_KEPT - len(output)])
        return await process.wait()

    ended = asyncio.ensure_future(drain())
    late = asyncio.ensure_future(host.clock.sleep(timeout / _SECOND))
    try:
        await asyncio.wait((ended, late), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            return ended.result(), output.decode(errors="replace")
        said = f": {output.decode(errors='replace')}" if output else ""
        return _NO_ANSWER, f"Health check exceeded timeout ({format_duration(timeout)}){said}"
    finally:
        late.cancel()
        if not ended.done():
            ended.cancel()
            await process.kill(SIGKILL)
        await process.streams.close()
