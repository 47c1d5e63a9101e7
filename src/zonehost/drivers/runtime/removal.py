"""Ending a zone and taking away all that the kernel holds of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from zonehost.domain.signals import SIGKILL
from zonehost.drivers.runtime.folder import ZoneFolder
from zonehost.drivers.runtime.living import Zone
from zonehost.errors import Blocked
from zonehost.linux import pidfd, proc_file
from zonehost.linux.cgroup_group import Group, Part

_PATIENCE: Final = 10.0
"""Seconds that a killed zone may take to end."""
_KEEPER_PATIENCE: Final = 1.0
"""Seconds more, for its keeper, which is killed last."""


async def remove(folder: ZoneFolder, group: Group, zone: Zone | None, noted: asyncio.Future[None] | None) -> None:
    """Kill the zone, then its keeper, wait until nothing runs, and remove groups and folders. Idempotent.

    The keeper of a living zone has a moment to leave the exit code.

    Raises:
        Blocked: a process does not end; its groups stay, and its folder, so that it is found again.
    """
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    if zone is not None and not zone.over.is_set():
        await zone.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await zone.over.wait()
        pidfd.send(zone.guard, SIGKILL)
    group.kill()
    try:
        async with asyncio.timeout_at(deadline + _KEEPER_PATIENCE):
            await group.emptied()
    except TimeoutError as error:
        raise Blocked(f"container {folder.zone} cannot be removed: {stuck(group)}") from error
    if zone is not None:
        await zone.over.wait()  # its end is told from what is about to be swept
    if noted is not None:
        await noted  # how it ended is in what is about to be swept
    await asyncio.to_thread(_sweep, folder, group)


def _sweep(folder: ZoneFolder, group: Group) -> None:
    group.remove()
    folder.remove()


def stuck(group: Group) -> str:
    """Which processes are left, in what state, and where in the kernel each of them waits (proc(5))."""
    found = []
    for pid in (*group.pids(Part.ZONE), *group.pids(Part.KEEPER)):
        with suppress(OSError):
            state = proc_file.text(f"/proc/{pid}/stat").rpartition(")")[2].split()[0]
            found.append(f"process {pid} in state {state}, in {proc_file.text(f'/proc/{pid}/wchan') or '?'}")
    return "; ".join(found) or "its cgroup is still populated"
