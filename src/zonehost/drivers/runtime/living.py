"""A zone that is alive, as this daemon knows it: what it needs to reach it."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass, field

from zonehost.drivers.runtime.birth import Neighbour
from zonehost.drivers.runtime.folder import KeeperRecord, ZoneFolder
from zonehost.linux.cgroup_group import Group


@dataclass(slots=True, eq=False)
class Zone:
    """The zone. `process` and `guard` are pidfds, of its first process and of its keeper; this object owns them."""

    id: str
    pid: int
    record: KeeperRecord
    folder: ZoneFolder
    group: Group
    process: int
    guard: int
    parked: list[socket.socket] = field(default_factory=list)
    """Connections to the keeper whose clients have gone; to close one would end the zone's input."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its keeper has ended."""
    settling: asyncio.Future[None] | None = None

    async def settled(self) -> None:
        """Wait until the keeper has left the zone's own cgroup, in which it was born, for its place beside it."""
        if self.settling is not None:
            await asyncio.shield(self.settling)

    @property
    def neighbour(self) -> Neighbour:
        """As one that joins its namespaces sees it."""
        record = self.record
        return Neighbour(pid=self.pid, keeper=record.keeper, lease=record.lease, first_id=record.first_id)

    def close(self) -> None:
        """Let go of it."""
        for client in self.parked:
            client.close()
        self.parked.clear()
        os.close(self.process)
        os.close(self.guard)
