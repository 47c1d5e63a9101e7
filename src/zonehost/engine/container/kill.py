"""`docker kill`: a signal to the first process."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import msgspec

from zonehost.domain.container import Status
from zonehost.domain.signals import SIGKILL, SIGTERM, parse_signal
from zonehost.engine.container.running import check_running
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.engine.telling import tell_container
from zonehost.engine.together import together
from zonehost.errors import Blocked, Conflict, explained

KILL_PATIENCE: Final = 10.0
"""Seconds after which a process that got SIGKILL and is still there is called blocked."""


async def kill(host: Host, ref: str, *, signal: str = "") -> None:
    """Send a signal, SIGKILL if none is named; after SIGKILL, the container has ended when this returns.

    One that waits to be restarted has no process; a signal that it stops by ends the waiting.

    Raises:
        InvalidParameter: no such signal. Conflict: it does not run. Blocked: it does not end.
    """
    with explained(f"cannot kill container: {ref}"):
        number = parse_signal(signal) if signal else SIGKILL
        zone = host.containers.find(ref)
        if number in (SIGKILL, stop_signal(zone)) and await call_off_restart(host, zone):
            return
        check_running(zone)
        if number == SIGKILL:
            await end(host, zone)
        else:
            await send(host, zone, number)


async def send(host: Host, zone: Zone, number: int) -> None:
    """Send a signal to a container that runs. One that it stops by keeps restart policies from starting it again."""
    stops = number in (SIGKILL, stop_signal(zone))
    if stops:
        zone.no_restart = True
    if zone.record.state.stopped_by_hand:
        await _signal(host, zone, number)
    else:
        await together(_note_hand(host, zone), _signal(host, zone, number))
    if stops and zone.record.state.status is Status.PAUSED:
        await _thaw(host, zone)
    tell_container(host, zone.record, "kill", signal=str(number))


async def _note_hand(host: Host, zone: Zone) -> None:
    """The record is read here: what else changes it meanwhile, as a disconnect does, is not undone."""
    state = msgspec.structs.replace(zone.record.state, stopped_by_hand=True)
    await host.keep(zone, msgspec.structs.replace(zone.record, state=state))


async def end(host: Host, zone: Zone) -> None:
    """End a container with SIGKILL and wait for it.

    Raises:
        Blocked: it does not end; the state says so too, until it does.
    """
    if not zone.record.state.running:
        return
    ended = asyncio.shield(zone.exits.next())
    await send(host, zone, SIGKILL)
    late = asyncio.ensure_future(host.clock.sleep(KILL_PATIENCE))
    try:
        await asyncio.wait((ended, late), return_when=asyncio.FIRST_COMPLETED)
    finally:
        late.cancel()
    if not ended.done():
        why = f"did not end within {KILL_PATIENCE:g}s of SIGKILL: {await host.runtime.holdup(zone.id)}"
        state = msgspec.structs.replace(zone.record.state, blocked=why)
        await host.keep(zone, msgspec.structs.replace(zone.record, state=state))
        raise Blocked(f"container {zone.id} {why}")


async def call_off_restart(host: Host, zone: Zone) -> bool:
    """Let a container that waits to be restarted have ended for good; whether it did wait."""
    if zone.record.state.status is not Status.RESTARTING:
        return False  # without the lock: what holds it may wait for this end
    async with zone.lock:
        if zone.record.state.status is not Status.RESTARTING:
            return False
        if zone.restarting is not None:
            zone.restarting.cancel()
            zone.restarting = None
        zone.no_restart = True
        state = msgspec.structs.replace(zone.record.state, status=Status.EXITED, stopped_by_hand=True)
        await host.keep(zone, msgspec.structs.replace(zone.record, state=state))
        zone.exits.ring(state.exit_code)
        return True


def stop_signal(zone: Zone) -> int:
    """The signal that asks this container to stop."""
    return parse_signal(zone.record.config.stop_signal) if zone.record.config.stop_signal else SIGTERM


async def _signal(host: Host, zone: Zone, number: int) -> None:
    """To a zone that has just ended, a signal makes no difference."""
    with suppress(Conflict):
        await host.runtime.kill(zone.id, number)


async def _thaw(host: Host, zone: Zone) -> None:
    """Let a paused container see its signal."""
    await host.runtime.resume(zone.id)
    state = zone.record.state
    if state.status is Status.PAUSED:
        running = msgspec.structs.replace(state, status=Status.RUNNING)
        zone.record = msgspec.structs.replace(zone.record, state=running)
        tell_container(host, zone.record, "unpause")
