"""Keeping the log of a running container within its bounds."""

from __future__ import annotations

from zonehost.domain.log_config import log_bounds
from zonehost.engine.container.log_path import log_path
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone


def watch_log(host: Host, zone: Zone) -> None:
    """Have the log rotated while the zone runs."""
    path = log_path(host, zone.record)
    if path is None:
        return
    bounds = log_bounds(zone.record.host_config.log_config)

    async def reopen() -> None:
        await host.runtime.reopen_log(zone.id)

    host.logs.keep(zone.id, path, max_size=bounds.max_size, max_files=bounds.max_files, reopen=reopen)
