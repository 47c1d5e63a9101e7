"""Snapshots that the daemon takes by itself, and the end of those whose time is over."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import msgspec

from zonehost.domain.phase import Phase
from zonehost.domain.sending import Partial
from zonehost.domain.snapshot import Dataset, Schedule, Snapshot
from zonehost.engine.dataset.partial import forget
from zonehost.engine.dataset.reference import find_dataset, snapshotter
from zonehost.engine.dataset.removal import remove_unused, users_of
from zonehost.engine.dataset.snapshot import take
from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter, ZonehostError
from zonehost.ports.records import Delete, Put

log = logging.getLogger(__name__)
_SECOND = 1_000_000_000


async def plan(host: Host, ref: str, *, every: int, keep: int) -> None:
    """Have a snapshot taken each `every` nanoseconds, the first one now, and the newest `keep` kept; 0 ends that.

    Raises:
        NotFound: there is no such container or volume. InvalidParameter: the times cannot be.
        Unsupported: the storage driver has no snapshots.
    """
    snapshotter(host, "a schedule of snapshots")
    of = find_dataset(host, ref)
    if every == 0:
        host.snapshots.unplan(of)
        await host.records.commit(Delete(Schedule.kind, str(of)))
        return
    if every < _SECOND or keep < 1:
        raise InvalidParameter("a schedule takes a snapshot each second at most, and keeps at least one")
    now = host.clock.now()
    schedule = Schedule(of=of, every=every, keep=keep, created=now, next=now)
    await host.records.commit(Put(schedule))
    host.snapshots.plan(schedule)


async def keep_time(host: Host) -> None:
    """Take what is due and remove what has expired, as long as the daemon runs."""
    while True:
        changed = asyncio.shield(host.snapshots.changed.next())
        now = host.clock.now()
        for schedule in host.snapshots.schedules:
            if schedule.next <= now:
                await _carry_out(host, schedule, now)
        for snapshot in host.snapshots:
            if 0 < snapshot.expires <= now:
                await _forget(host, snapshot)
        for partial in host.snapshots.partials:
            if partial.expires <= now:
                await _let_go(host, partial)
        dates = [schedule.next for schedule in host.snapshots.schedules]
        dates += [snapshot.expires for snapshot in host.snapshots if snapshot.expires > now]
        dates += [partial.expires for partial in host.snapshots.partials]
        await _wait(host, changed, min(dates, default=0))


async def _wait(host: Host, changed: asyncio.Future[None], date: int) -> None:
    """Until something changes, or the date comes; 0 is no date."""
    waits: set[asyncio.Future[None]] = {changed}
    if date:
        waits.add(asyncio.ensure_future(host.clock.sleep(max(0, date - host.clock.now()) / _SECOND)))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _carry_out(host: Host, schedule: Schedule, now: int) -> None:
    """Take one, and let the oldest go that are too many. A snapshot that fails is tried again at its next date."""
    later = msgspec.structs.replace(schedule, next=now + schedule.every)
    host.snapshots.plan(later)
    await host.records.commit(Put(later))
    name = datetime.fromtimestamp(now / _SECOND, UTC).strftime("auto-%Y%m%d-%H%M%S")
    try:
        await take(host, schedule.of, name, scheduled=True)
    except ZonehostError as error:
        log.error("the scheduled snapshot %s of %s: %s", name, schedule.of, error)
        return
    for snapshot in _own(host, schedule.of)[: -schedule.keep]:
        await _forget(host, snapshot)


def _own(host: Host, of: Dataset) -> list[Snapshot]:
    """The snapshots that a schedule took, the oldest first."""
    taken = [snapshot for snapshot in host.snapshots.of(of) if snapshot.scheduled and snapshot.phase is Phase.WHOLE]
    return sorted(taken, key=lambda snapshot: snapshot.created)


async def _forget(host: Host, snapshot: Snapshot) -> None:
    """Remove one, unless something needs it: then it stays until that is gone."""
    if snapshot.phase is not Phase.WHOLE or snapshot.restoring or users_of(host, snapshot):
        return
    try:
        await remove_unused(host, snapshot)
    except ZonehostError as error:
        log.error("snapshot %s of %s: %s", snapshot.name, snapshot.of, error)


async def _let_go(host: Host, partial: Partial) -> None:
    log.info(
        "what came of snapshot %s of %s is thrown away: nobody went on", partial.head.snapshot.name, partial.head.of
    )
    try:
        await forget(host, partial.id)
    except ZonehostError as error:
        log.error("the transfer %s: %s", partial.id, error)
