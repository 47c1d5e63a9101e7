"""`docker start`, and the last step of `docker run`."""

from __future__ import annotations

import logging

from zonehost.domain.container import Status
from zonehost.engine.container.launch import launch
from zonehost.engine.container.remove import remove_locked
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.errors import Conflict, NotModified, ZonehostError

log = logging.getLogger(__name__)


async def start(host: Host, ref: str) -> None:
    """Start a container; its process runs when this returns.

    Raises:
        NotModified: it runs already. Conflict: it is paused, or being removed. InvalidParameter: its program cannot be
        run, or something it needs is not there.
    """
    zone = host.containers.find(ref)
    async with zone.lock:
        check_startable(zone)
        zone.no_restart = False
        zone.restart_wait = 0.0
        try:
            await launch(host, zone, restart_count=0)
        except ZonehostError:
            if zone.record.host_config.auto_remove:
                await _leave(host, zone)
            raise


async def _leave(host: Host, zone: Zone) -> None:
    """Remove a container that was not to stay; who waits for that, as `docker run` does, is told if it cannot go."""
    try:
        await remove_locked(host, zone, volumes=True)
    except ZonehostError as error:
        log.error("container %s was not started, and stays: %s", zone.record.short, error)
        zone.removal.ring(zone.record.state.exit_code)


def check_startable(zone: Zone) -> None:
    """Whether its state lets it be started.

    Raises:
        NotModified, Conflict: it does not.
    """
    match zone.record.state.status:
        case Status.PAUSED:
            raise Conflict("cannot start a paused container, try unpause instead")
        case Status.RUNNING:
            raise NotModified(f"container {zone.record.name} is already running")
        case Status.RESTARTING:
            raise NotModified(f"container {zone.record.name} is being restarted")
        case Status.REMOVING | Status.DEAD:
            raise Conflict("container is marked for removal and cannot be started")
        case _:
            return
