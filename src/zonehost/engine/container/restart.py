"""`docker restart`."""

from __future__ import annotations

from zonehost.domain.signals import parse_signal
from zonehost.engine.container.launch import launch
from zonehost.engine.container.start import check_startable
from zonehost.engine.container.stop import halt
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_container
from zonehost.errors import explained


async def restart(host: Host, ref: str, *, signal: str = "", timeout: int | None = None) -> None:
    """Stop a container if it runs, and start it.

    Raises:
        As `stop` and `start`.
    """
    number = parse_signal(signal) if signal else 0
    zone = host.containers.find(ref)
    zone.stays = True
    try:
        with explained(f"Cannot restart container {ref}"):
            if zone.active:
                await halt(host, zone, number=number, timeout=timeout)
                tell_container(host, zone.record, "stop")
            async with zone.lock:
                if not zone.record.state.running:  # else another client was faster
                    check_startable(zone)
                    zone.no_restart = False
                    zone.restart_wait = 0.0
                    await launch(host, zone, restart_count=0)
    finally:
        zone.stays = False
    tell_container(host, zone.record, "restart")
