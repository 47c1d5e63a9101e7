"""Transfers that were cut: what has come is kept aside for a day, so that the sender can go on."""

from __future__ import annotations

from typing import Final

from zonehost.domain.failpoint import failpoint
from zonehost.domain.sending import Head, Partial, Position
from zonehost.engine.dataset.reference import snapshotter
from zonehost.engine.host import Host
from zonehost.errors import Conflict, InvalidParameter
from zonehost.ports.records import Delete, Put

LIFETIME: Final = 24 * 3600 * 1_000_000_000


async def keep(host: Host, transfer: str, name: str, head: Head, position: Position) -> Partial:
    """Note how far a transfer came."""
    now = host.clock.now()
    partial = Partial(id=transfer, name=name, head=head, position=position, created=now, expires=now + LIFETIME)
    await host.records.commit(Put(partial))
    failpoint("receive.cut")
    host.snapshots.keep(partial)
    return partial


async def resume(host: Host, head: Head) -> Partial:
    """The transfer that a stream continues. From now on it is on no record: a daemon that dies sweeps it.

    Raises:
        NotFound: there is none. InvalidParameter: the stream is of something else.
        Conflict: it begins elsewhere than the transfer was cut; it may be tried again with the right token.
    """
    partial = host.snapshots.take_partial(head.transfer)
    if partial.head.snapshot != head.snapshot or partial.head.base != head.base:
        host.snapshots.keep(partial)
        raise InvalidParameter("the stream does not continue what was cut: it is of another snapshot or base")
    if partial.position != head.position:
        host.snapshots.keep(partial)
        raise Conflict(f"the stream continues elsewhere than it was cut; its token is {partial.token}")
    await host.records.commit(Delete(Partial.kind, partial.id))
    failpoint("receive.resumed")
    return partial


async def forget(host: Host, transfer: str) -> None:
    """Throw away what has come. Raises NotFound if there is no such transfer, or it just goes on."""
    partial = host.snapshots.take_partial(transfer)
    await snapshotter(host, "receive").give_up(partial.id)
    await host.records.commit(Delete(Partial.kind, partial.id))


async def sweep_transfers(host: Host) -> int:
    """Throw away what a dead daemon took in and did not note; how many that were."""
    port = snapshotter(host, "receive")
    kept = {partial.id for partial in host.snapshots.partials}
    lost = await port.transfers() - kept
    for transfer in lost:
        await port.give_up(transfer)
    return len(lost)
