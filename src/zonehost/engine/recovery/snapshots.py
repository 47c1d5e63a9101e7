"""Snapshots that a dead daemon was about to take, to remove or to roll back to."""

from __future__ import annotations

import logging

from zonehost.domain.phase import Phase
from zonehost.domain.snapshot import Snapshot
from zonehost.engine.dataset.partial import sweep_transfers
from zonehost.engine.dataset.removal import discard
from zonehost.engine.dataset.rollback import finish
from zonehost.engine.host import Host
from zonehost.engine.recovery.report import Recovered
from zonehost.engine.volume.origin import drop_unused_bases
from zonehost.errors import ZonehostError

log = logging.getLogger(__name__)


async def settle_snapshots(host: Host, report: Recovered) -> None:
    """Finish rollbacks, undo or finish what was not whole, and remove what no record names."""
    if host.snapshotter is None:
        return
    for snapshot in host.snapshots:
        try:
            await _settle(host, snapshot, report)
        except ZonehostError as error:
            report.failed += 1
            log.error("snapshot %s of %s: %s", snapshot.name, snapshot.of, error)
    for snapshot_id in await host.snapshotter.survey():
        if host.snapshots.get(snapshot_id) is None:
            log.warning("the snapshot %s is removed: no record names it", snapshot_id)
            await host.snapshotter.remove(snapshot_id)
            report.swept += 1
    report.swept += await sweep_transfers(host)
    await drop_unused_bases(host)


async def _settle(host: Host, snapshot: Snapshot, report: Recovered) -> None:
    if snapshot.restoring:
        log.info("the rollback to snapshot %s of %s is finished", snapshot.name, snapshot.of)
        await finish(host, snapshot)
        report.finished += 1
    elif snapshot.phase is not Phase.WHOLE:
        await discard(host, snapshot)
        report.undone += 1
