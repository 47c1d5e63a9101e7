"""`docker stop`: ask, wait, then end."""

from __future__ import annotations

import asyncio

from zonehost.domain.failpoint import failpoint
from zonehost.domain.signals import parse_signal
from zonehost.engine.container.kill import call_off_restart, end, send, stop_signal
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.engine.telling import tell_container
from zonehost.errors import NotModified, explained


async def stop(host: Host, ref: str, *, signal: str = "", timeout: int | None = None) -> None:
    """Stop a container; it has ended when this returns.

    `timeout` is seconds between the stop signal and SIGKILL, -1 to wait without end, None for the container's own.

    Raises:
        NotModified: it does not run. InvalidParameter: no such signal. Blocked: it does not end.
    """
    with explained(f"cannot stop container: {ref}"):
        number = parse_signal(signal) if signal else 0
    zone = host.containers.find(ref)
    if not zone.active:
        raise NotModified(f"container {ref} is already stopped")
    await halt(host, zone, number=number, timeout=timeout)
    tell_container(host, zone.record, "stop")


async def halt(host: Host, zone: Zone, *, number: int = 0, timeout: int | None = None) -> None:
    """Bring an active container to its end. Not under its lock: others may kill it meanwhile."""
    zone.no_restart = True
    await call_off_restart(host, zone)
    if not zone.record.state.running:
        return
    seconds = _patience(host, zone, timeout)
    ended = asyncio.shield(zone.exits.next())
    await send(host, zone, number or stop_signal(zone))
    failpoint("stop.signalled")
    if seconds < 0:
        await ended
        return
    late = asyncio.ensure_future(host.clock.sleep(seconds))
    try:
        await asyncio.wait((ended, late), return_when=asyncio.FIRST_COMPLETED)
    finally:
        late.cancel()
    if not ended.done():
        await end(host, zone)


def _patience(host: Host, zone: Zone, timeout: int | None) -> int:
    if timeout is not None:
        return timeout
    own = zone.record.config.stop_timeout
    return host.settings.stop_timeout if own is None else own
