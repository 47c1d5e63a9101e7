"""`docker rm`: complete when it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator
from contextlib import contextmanager

import msgspec

from zonehost.domain.container import Container, Status
from zonehost.domain.failpoint import failpoint
from zonehost.domain.phase import Phase
from zonehost.domain.signals import SIGKILL
from zonehost.domain.volume import Volume
from zonehost.engine.container.attachments import give_up_waiting
from zonehost.engine.container.discard import discard, dismantle
from zonehost.engine.container.ending import ended_state, tell_end
from zonehost.engine.container.health import stop_health
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.engine.telling import tell_container, tell_volume
from zonehost.errors import Conflict, NotFound, ZonehostError
from zonehost.ports.records import Put
from zonehost.ports.runtime import Exit


async def remove(host: Host, ref: str, *, force: bool = False, volumes: bool = False) -> None:
    """Remove a container, and with `volumes` its anonymous volumes that nothing else uses.

    Raises:
        Conflict: it runs and `force` is not given, or it is being removed already.
        Blocked: a process of it cannot be ended; it stays, marked as dead, and can be removed again later.
    """
    zone = host.containers.find(ref)
    _check_removable(zone, ref, force=force)
    async with zone.lock:
        if host.containers.get(zone.id) is None:
            raise NotFound(f"No such container: {ref}")
        _check_removable(zone, ref, force=force)
        await remove_locked(host, zone, volumes=volumes)


async def remove_locked(host: Host, zone: Zone, *, volumes: bool) -> None:
    """Remove a container whose lock is held, whatever its state."""
    if zone.restarting is not None:
        zone.restarting.cancel()
        zone.restarting = None
    stop_health(zone)
    before = zone.record
    state = msgspec.structs.replace(before.state, status=Status.REMOVING, starting=False)
    leaving = msgspec.structs.replace(before, phase=Phase.REMOVING, state=state)
    with claimed_volumes(host, before, wanted=volumes) as doomed:
        await host.keep(zone, leaving, *map(Put, doomed))
    failpoint("remove.recorded")
    if before.state.running:
        await _end(host, zone, before)
    elif before.state.blocked:
        await _or_dead(host, zone, dismantle(host, before))
    await finish_removal(host, zone, doomed)


async def _end(host: Host, zone: Zone, before: Container) -> None:
    """End what runs, and note how it ended."""
    tell_container(host, before, "kill", signal=str(SIGKILL))
    await _or_dead(host, zone, dismantle(host, before))
    ended = zone.ended or Exit(before.id, 128 + SIGKILL, host.clock.now(), oom_killed=False)
    state = msgspec.structs.replace(ended_state(before, ended), status=Status.REMOVING)
    zone.record = msgspec.structs.replace(zone.record, state=state)
    tell_end(host, before, ended)
    zone.exits.ring(ended.code)


async def finish_removal(host: Host, zone: Zone, doomed: Iterable[Volume]) -> None:
    """Take away what is left of a container whose zone is dismantled, and these volumes; the records say that they go.

    Raises:
        SystemFailure: something cannot be taken away; the container is marked as dead.
    """
    give_up_waiting(zone)
    doomed = tuple(doomed)
    await _or_dead(host, zone, discard(host, zone, doomed))
    for volume in doomed:
        tell_volume(host, "destroy", volume.name)
    tell_container(host, zone.record, "destroy")
    zone.exits.ring(zone.record.state.exit_code)
    zone.removal.ring(zone.record.state.exit_code)


async def _or_dead(host: Host, zone: Zone, step: Awaitable[None]) -> None:
    """Do a step of a removal; a container of which it fails is dead, and says why."""
    try:
        await step
    except ZonehostError as error:
        state = msgspec.structs.replace(zone.record.state, status=Status.DEAD, blocked=str(error))
        try:
            await host.keep(zone, msgspec.structs.replace(zone.record, state=state))
        finally:
            zone.removal.ring(state.exit_code)
        raise


def _check_removable(zone: Zone, ref: str, *, force: bool) -> None:
    state = zone.record.state
    what = f'container "{ref}"'
    if state.status is Status.REMOVING:
        raise Conflict(f"removal of container {ref} is already in progress")
    if force or not zone.active:
        return
    if state.status is Status.PAUSED:
        raise Conflict(f"cannot remove {what}: container is paused and must be unpaused first")
    kind = "restarting" if state.status is Status.RESTARTING else "running"
    raise Conflict(f"cannot remove {what}: container is {kind}: stop the container before removing or force remove")


@contextmanager
def claimed_volumes(host: Host, record: Container, *, wanted: bool) -> Iterator[tuple[Volume, ...]]:
    """Its anonymous volumes that no other container has, marked as going, so that none gets them from now on.

    None if they are not wanted. An error in the body gives them back.
    """
    claimed = _own_volumes(host, record) if wanted else ()
    for volume in claimed:
        host.volumes.put(msgspec.structs.replace(volume, phase=Phase.REMOVING))
    try:
        yield tuple(msgspec.structs.replace(volume, phase=Phase.REMOVING) for volume in claimed)
    except BaseException:
        for volume in claimed:
            host.volumes.put(volume)
        raise


def _own_volumes(host: Host, record: Container) -> tuple[Volume, ...]:
    others = {
        point.name
        for other in host.containers.records()
        if other.id != record.id
        for point in other.mounts
        if point.type == "volume"
    }
    anonymous = (host.volumes.get(point.name) for point in record.mounts if point.type == "volume" and point.anonymous)
    return tuple(volume for volume in anonymous if volume is not None and volume.name not in others)
