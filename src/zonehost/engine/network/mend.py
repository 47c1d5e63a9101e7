"""Links of running containers that somebody deleted are made again."""

from __future__ import annotations

import logging

import msgspec

from zonehost.engine.container.endpoints import plugs_of, with_links
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.errors import Conflict, ZonehostError

log = logging.getLogger(__name__)


async def watch_links(host: Host) -> None:
    """Mend containers that lose links, each beside the others, for as long as the daemon runs."""
    async for lost in host.networking.losses():
        zone = host.containers.get(lost)
        if zone is not None:
            host.spawn(mend_links(host, zone), f"links of {zone.record.short}")


async def mend_links(host: Host, zone: Zone) -> None:
    """Have the container's links be there, if it runs. What cannot be mended is logged."""
    async with zone.lock:  # whoever ends it or disconnects it takes links away himself
        record = zone.record
        if not record.state.running or zone.ended is not None:
            return
        try:
            made = await host.networking.mend(record.state.pid, plugs_of(host, record))
            if made:
                log.warning("somebody deleted links of container %s; they are made again", record.short)
                await host.keep(zone, msgspec.structs.replace(record, endpoints=with_links(record.endpoints, made)))
        except Conflict:
            log.debug("container %s has ended", record.short)
        except ZonehostError as error:
            log.error("a link of container %s cannot be made again: %s", record.short, error)
