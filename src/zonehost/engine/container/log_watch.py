"""What is done with the log of a container while it runs: kept within its bounds, passed on to syslog."""

from __future__ import annotations

from zonehost.domain.container import Container
from zonehost.domain.log_config import log_bounds
from zonehost.domain.syslog import syslog_target
from zonehost.engine.container.log_path import log_path
from zonehost.engine.container.log_tag import tag_fields
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


async def forward_log(host: Host, record: Container, pid: int) -> None:
    """Have the log passed on, if the container's log driver is syslog.

    Raises:
        Unavailable: the receiver cannot be reached.
    """
    wanted = record.host_config.log_config
    path = log_path(host, record)
    if wanted.type != "syslog" or path is None:
        return
    target = syslog_target(wanted.config or {}, tag_fields(host, record), host.machine.facts.hostname)
    await host.logs.forward(record.id, path, target, pid)
