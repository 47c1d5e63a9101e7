"""`docker stats`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from zonehost.domain.container import Container
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.errors import ZonehostError
from zonehost.ports.runtime import Sample

PERIOD: Final = 1.0
"""Seconds between two samples."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A sample and the one before it; None where the container does not run, or there was none before."""

    container: Container
    now: Sample | None
    before: Sample | None


async def stats(host: Host, ref: str, *, stream: bool, one_shot: bool) -> AsyncIterator[Frame]:
    """Samples of a container, one a second until it is gone; without `stream` one, after a second unless `one_shot`.

    Raises:
        NotFound: there is no such container.
    """
    zone = host.containers.find(ref)
    return _frames(host, zone) if stream else _frame(host, zone, one_shot=one_shot)


async def _frame(host: Host, zone: Zone, *, one_shot: bool) -> AsyncIterator[Frame]:
    before = None if one_shot else await _sample(host, zone)
    if before is not None:
        await host.clock.sleep(PERIOD)
    yield Frame(zone.record, await _sample(host, zone), before)


async def _frames(host: Host, zone: Zone) -> AsyncIterator[Frame]:
    before: Sample | None = None
    while host.containers.get(zone.id) is not None:
        now = await _sample(host, zone)
        yield Frame(zone.record, now, before)
        before = now
        await host.clock.sleep(PERIOD)


async def _sample(host: Host, zone: Zone) -> Sample | None:
    if not zone.record.state.running:
        return None
    try:
        return await host.runtime.sample(zone.id)
    except ZonehostError:
        if zone.record.state.running:
            raise
        return None  # it ended while we looked
