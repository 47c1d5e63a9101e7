"""What verbs demand of a container's state."""

from __future__ import annotations

from zonehost.domain.container import Status
from zonehost.domain.phase import Phase
from zonehost.engine.state.zone import Zone
from zonehost.errors import Conflict, NotFound


def check_stays(zone: Zone) -> None:
    """Whether it is still there, now that its lock is held.

    Raises:
        NotFound: it was removed, or is on its way out.
    """
    if zone.record.phase is not Phase.WHOLE:
        raise NotFound(f"No such container: {zone.record.name}")


def check_running(zone: Zone) -> None:
    """Whether it runs or is paused.

    Raises:
        Conflict: it does not.
    """
    if zone.record.state.status is Status.RESTARTING:
        raise Conflict(f"Container {zone.id} is restarting, wait until the container is running")
    if not zone.record.state.running:
        raise Conflict(f"container {zone.id} is not running")


def check_not_paused(zone: Zone, ref: str) -> None:
    """Whether it runs and is not paused; `ref` is what the client calls it.

    Raises:
        Conflict: it does not, or it is.
    """
    check_running(zone)
    if zone.record.state.status is Status.PAUSED:
        raise Conflict(f"Container {ref} is paused, unpause the container before exec")
