"""The size of a container's terminal."""

from __future__ import annotations

from zonehost.engine.container.running import check_running
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_container


async def resize(host: Host, ref: str, *, rows: int, columns: int) -> None:
    """Set the size of the terminal.

    Raises:
        NotFound: there is no such container. Conflict: it does not run.
    """
    zone = host.containers.find(ref)
    check_running(zone)
    await host.runtime.resize(zone.id, rows, columns)
    tell_container(host, zone.record, "resize", height=str(rows), width=str(columns))
