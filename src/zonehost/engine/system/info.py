"""`docker info`: what this host is, and how much it holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from zonehost import __version__
from zonehost.domain.container import Status
from zonehost.domain.log_config import DEFAULT_DRIVER
from zonehost.domain.phase import Phase
from zonehost.engine.host import Host
from zonehost.engine.settings import Settings
from zonehost.ports.machine import MachineFacts, MachineState


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInfo:
    """Counts, the machine, and the settings that clients may see. The time is nanoseconds since the epoch."""

    version: str
    settings: Settings
    facts: MachineFacts
    state: MachineState
    time: int
    containers: int
    running: int
    paused: int
    images: int
    storage_driver: str
    log_driver: str
    listeners: int


async def info(host: Host) -> HostInfo:
    """The host as it is now."""
    states = Counter(record.state.status for record in host.containers.records() if record.phase is not Phase.MAKING)
    return HostInfo(
        version=__version__,
        settings=host.settings,
        facts=host.machine.facts,
        state=host.machine.state(),
        time=host.clock.now(),
        containers=states.total(),
        running=states[Status.RUNNING],
        paused=states[Status.PAUSED],
        images=len(host.images),
        storage_driver=host.storage.name,
        log_driver=host.settings.log.type or DEFAULT_DRIVER,
        listeners=len(host.events),
    )
