"""What there is of an instance's zones when a daemon starts: found by folders and cgroups, told apart by processes."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from zonehost.drivers.runtime.folder import ZoneFolder
from zonehost.drivers.runtime.input import Input
from zonehost.drivers.runtime.intake import readable
from zonehost.drivers.runtime.living import Zone
from zonehost.linux import pidfd
from zonehost.linux.cgroup_group import Group, Part

_LAST_WORDS: Final = 5.0
"""Seconds that a keeper may take to write down the end of its zone."""


async def find_living(folder: ZoneFolder, group: Group) -> Zone | None:
    """The zone, if its keeper is alive and its first process has passed the gate and not ended."""
    record, pid = folder.record(), folder.pid()
    if record is None or not pid or os.path.exists(folder.gate):
        return None
    guard = pidfd.find(record.keeper)
    if guard is None:
        return None
    if _belongs(record.keeper, group):
        process = pidfd.find(pid)
        if process is not None:
            zone = Zone(folder.zone, pid, record, folder, group, process, guard)
            if record.input >= 0:
                zone.input = Input(pidfd.borrow(guard, record.input), once=False)
            if record.keeper in group.pids(Part.ZONE):  # a daemon that died had not moved it yet
                zone.settle()
            return zone
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await readable(guard)
    os.close(guard)
    return None


def _belongs(pid: int, group: Group) -> bool:
    """Whether the process is in the group: a pid that was read from a file may be another's by now."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return line[3:].startswith(f"/{group.path}/")
    return False
