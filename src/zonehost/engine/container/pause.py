"""`docker pause` and `docker unpause`."""

from __future__ import annotations

import msgspec

from zonehost.domain.container import Status
from zonehost.engine.container.running import check_running
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.engine.telling import tell_container
from zonehost.errors import Conflict


async def pause(host: Host, ref: str) -> None:
    """Freeze a container's processes.

    Raises:
        NotFound: there is no such container. Conflict: it does not run, or is paused already.
    """
    zone = host.containers.find(ref)
    async with zone.lock:
        check_running(zone)
        if zone.record.state.status is Status.PAUSED:
            raise Conflict(f"Container {zone.id} is already paused")
        await host.runtime.pause(zone.id)
        await _keep_status(host, zone, Status.PAUSED)
    tell_container(host, zone.record, "pause")


async def unpause(host: Host, ref: str) -> None:
    """Let a container's processes go on.

    Raises:
        NotFound: there is no such container. Conflict: it is not paused.
    """
    zone = host.containers.find(ref)
    async with zone.lock:
        if zone.record.state.status is not Status.PAUSED:
            raise Conflict(f"Container {zone.id} is not paused")
        await host.runtime.resume(zone.id)
        await _keep_status(host, zone, Status.RUNNING)
    tell_container(host, zone.record, "unpause")


async def _keep_status(host: Host, zone: Zone, status: Status) -> None:
    state = msgspec.structs.replace(zone.record.state, status=status)
    await host.keep(zone, msgspec.structs.replace(zone.record, state=state))
