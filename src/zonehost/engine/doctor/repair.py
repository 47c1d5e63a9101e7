"""`zonehost doctor --repair`, while the daemon runs: the world is made what the state says."""

from __future__ import annotations

import logging

from zonehost.engine.doctor.examine import examine
from zonehost.engine.host import Host
from zonehost.engine.image.sweep import layers_in_use
from zonehost.engine.network.mend import mend_links
from zonehost.engine.telling import tell_daemon
from zonehost.engine.together import together
from zonehost.errors import ZonehostError
from zonehost.ports.audit import Finding, Trouble

log = logging.getLogger(__name__)


async def repair(host: Host) -> tuple[Finding, ...]:
    """Mend what can be mended; what is still different afterwards.

    A lost keeper or process needs no mending here: the runtime has ended such a zone when it saw it.
    """
    before = await examine(host)
    kinds = {finding.kind for finding in before}
    if kinds & {"bridge", "link", "firewall"}:
        await host.networking.repair()
        quiet = (zone for zone in host.containers if not zone.lock.locked())
        await together(*(mend_links(host, zone) for zone in quiet))
    for finding in before:
        try:
            await _mend(host, finding)
        except ZonehostError as error:
            log.error("%s %s %s: %s", finding.trouble, finding.kind, finding.name, error)
    after = await examine(host)
    tell_daemon(host, "repair", found=str(len(before)), left=str(len(after)))
    return after


async def _mend(host: Host, finding: Finding) -> None:
    match finding.trouble, finding.kind:
        case Trouble.ORPHAN, "cgroup" | "folder":
            await host.runtime.remove(finding.zone)
        case Trouble.ORPHAN, "dataset":
            await host.storage.remove_zone(finding.name)
        case Trouble.ORPHAN, "volume":
            await host.storage.remove_volume(finding.name)
        case Trouble.ORPHAN, "layer":
            await _remove_layer(host, finding.name)
        case Trouble.LOSS, "supervisor":
            await host.runtime.supervise()
        case Trouble.STRAY, "process":
            await host.runtime.expel(finding.zone, int(finding.name))
        case _:
            return
    log.warning("mended: %s %s %s", finding.trouble, finding.kind, finding.name)


async def _remove_layer(host: Host, diff_id: str) -> None:
    async with host.images.sweeping() as quiet:
        if quiet and diff_id not in layers_in_use(host):
            await host.layers.remove(diff_id)
