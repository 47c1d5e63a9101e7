"""The ends of zones: noticed by the keepers' own ends, read from what the keepers leave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from zonehost.domain.signals import SIGKILL
from zonehost.drivers.runtime.folder import ZoneFolder
from zonehost.drivers.runtime.living import Zone
from zonehost.linux import pidfd
from zonehost.linux.cgroup_group import Group
from zonehost.linux.cgroup_stats import oom_kills
from zonehost.ports.runtime import Exit

_KILLED: Final = 128 + 9


class Endings:
    """Watches keepers. A keeper leaves the exit code and ends; one that ends without was killed, and its zone ends."""

    def __init__(self) -> None:
        self._known: asyncio.Queue[Exit] = asyncio.Queue()

    def watch(self, zone: Zone) -> None:
        """Tell the end of this zone when it comes, once."""
        asyncio.get_running_loop().add_reader(zone.guard, self._end, zone)

    def forget(self, zone: Zone) -> None:
        """Tell its end no more."""
        asyncio.get_running_loop().remove_reader(zone.guard)

    async def each(self) -> AsyncIterator[Exit]:
        """Every end, as it happens."""
        while True:
            yield await self._known.get()

    def _end(self, zone: Zone) -> None:
        asyncio.get_running_loop().remove_reader(zone.guard)
        zone.over.set()
        pidfd.send(zone.process, SIGKILL)  # wherever somebody moved it
        self._known.put_nowait(ending(zone.folder, zone.group))


def ending(folder: ZoneFolder, group: Group) -> Exit:
    """How a zone ended whose keeper is gone.

    What still runs of it is ended now: its first process may have had no PID namespace of its own to end with it, or
    the keeper was killed before it.
    """
    oom_killed = False
    with suppress(FileNotFoundError):
        oom_killed = oom_kills(group.places) > 0
    group.kill()
    left = folder.exit_code()
    if left is None:
        return Exit(folder.zone, _KILLED, time.time_ns(), oom_killed, lost=True)
    return Exit(folder.zone, *left, oom_killed)
