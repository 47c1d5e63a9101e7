"""`docker top`."""

from __future__ import annotations

from zonehost.engine.container.running import check_running
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_container
from zonehost.ports.runtime import ProcessTable


async def top(host: Host, ref: str, ps_args: str = "-ef") -> ProcessTable:
    """The processes of a container that runs, as ps(1) shows them with these arguments.

    Raises:
        NotFound: there is no such container. Conflict: it does not run. InvalidParameter: ps does not take these.
    """
    zone = host.containers.find(ref)
    check_running(zone)
    table = await host.runtime.top(zone.id, ps_args or "-ef")
    tell_container(host, zone.record, "top")
    return table
