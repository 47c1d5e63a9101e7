"""Which of an instance's zones live when a daemon starts: told by their keepers, and by what these keep."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from typing import Final

import msgspec

from zonehost.drivers.runtime import keepers
from zonehost.drivers.runtime.folder import KeeperRecord, ZoneFolder
from zonehost.drivers.runtime.input import Input
from zonehost.drivers.runtime.intake import readable
from zonehost.drivers.runtime.living import Zone
from zonehost.linux import pidfd
from zonehost.linux.cgroup_group import Group, Part

log = logging.getLogger(__name__)
_LAST_WORDS: Final = 5.0
"""Seconds that a keeper may take to write down the end of its zone."""


async def find_living(folder: ZoneFolder, group: Group, keeper: int) -> Zone | None:
    """The zone that this keeper serves, if its first process has passed the gate and not ended.

    What the zone's folder says else of it is put right.
    """
    guard = pidfd.find(keeper)
    if guard is None:
        return None
    record = keepers.record_of(keeper) or folder.record()
    if record is None:
        log.error("container %s is ended: %s is damaged, and its keeper cannot tell either", folder.zone, folder.path)
    elif folder.is_open():
        zone = _zone(folder, group, record, keeper, guard)
        if zone is not None:
            return zone
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await readable(guard)
    os.close(guard)
    return None


def _zone(folder: ZoneFolder, group: Group, record: KeeperRecord, keeper: int, guard: int) -> Zone | None:
    pid = keepers.first_process(keeper)
    process = pidfd.find(pid) if pid else None
    if process is None:
        return None
    if folder.record() != record:
        folder.mend(folder.record_file, msgspec.json.encode(record))
    if folder.pid() != pid:
        folder.mend(folder.pid_file, str(pid).encode())
    zone = Zone(folder.zone, pid, keeper, record, folder, group, process, guard)
    if record.input >= 0:
        zone.input = Input(pidfd.borrow(guard, record.input), once=False)
    if keeper in group.pids(Part.ZONE):  # a daemon that died had not moved it yet
        zone.settle()
    return zone
