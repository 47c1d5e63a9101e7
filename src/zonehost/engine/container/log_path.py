"""Where a container's log is."""

from __future__ import annotations

from zonehost.domain.container import Container
from zonehost.engine.host import Host


def log_path(host: Host, record: Container) -> str | None:
    """Host path of the log file, None for a container that keeps none."""
    if record.host_config.log_config.type == "none":
        return None
    return f"{host.storage.zone_path(record.id)}/log/output.log"
