"""Taking away what belongs to this instance and to no record."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from zonehost.domain.phase import Phase
from zonehost.engine.host import Host
from zonehost.engine.image.sweep import sweep_layers
from zonehost.engine.network.create import discard as discard_network
from zonehost.engine.recovery.report import Recovered
from zonehost.engine.volume.create import discard as discard_volume
from zonehost.errors import ZonehostError
from zonehost.ports.runtime import Survey

log = logging.getLogger(__name__)


async def sweep_kernel(host: Host, survey: Survey, report: Recovered) -> None:
    """End zones that nobody knows, and remove what is left of others."""
    known = {zone.id for zone in host.containers if zone.record.state.running or zone.record.state.starting}
    for zone_id in sorted({running.zone for running in survey.running} | survey.remains):
        if zone_id in known:
            continue
        log.warning("what the kernel holds of zone %s is removed: no record says that it runs", zone_id)
        with _apart(report, f"zone {zone_id}"):
            await host.runtime.remove(zone_id)
            report.swept += 1


async def sweep_records(host: Host, report: Recovered) -> None:
    """Undo networks and volumes that were not made to their end, and finish their removals."""
    for network in host.networks:
        if network.phase is not Phase.WHOLE:
            with _apart(report, f"network {network.name}"):
                await discard_network(host, network)
                report.finished += 1
    for volume in host.volumes:
        if volume.phase is not Phase.WHOLE:
            with _apart(report, f"volume {volume.name}"):
                await discard_volume(host, volume)
                report.finished += 1


async def sweep_disk(host: Host, report: Recovered, aside: Collection[tuple[str, str]]) -> None:
    """Remove datasets and layers that no record names; none while records are `aside`, whose they may be."""
    if aside:
        names = ", ".join(f"{kind} {key}" for kind, key in sorted(aside))
        log.warning("nothing is swept from the disk, for these records are set aside: %s", names)
        return
    zones, volumes = await host.storage.survey()
    for zone_id in sorted(zones):
        if host.containers.get(zone_id) is None:
            log.warning("the dataset of zone %s is removed: no record names it", zone_id)
            with _apart(report, f"zone {zone_id}"):
                await host.storage.remove_zone(zone_id)
                report.swept += 1
    for name in sorted(volumes):
        if host.volumes.get(name) is None:
            log.warning("the dataset of volume %s is removed: no record names it", name)
            with _apart(report, f"volume {name}"):
                await host.storage.remove_volume(name)
                report.swept += 1
    layers = await host.layers.survey()
    await sweep_layers(host, layers)


@contextmanager
def _apart(report: Recovered, what: str) -> Iterator[None]:
    """What cannot be taken away does not keep the daemon from its work; the next start tries again."""
    try:
        yield
    except ZonehostError as error:
        report.failed += 1
        log.error("%s: %s", what, error)
