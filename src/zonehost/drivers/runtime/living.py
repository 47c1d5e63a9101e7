"""A zone that is alive, as this daemon knows it: what it needs to reach it."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from dataclasses import dataclass, field
from typing import Final

from zonehost.drivers.runtime.belonging import Neighbour
from zonehost.drivers.runtime.broadcast import Broadcast
from zonehost.drivers.runtime.folder import KeeperRecord, ZoneFolder
from zonehost.drivers.runtime.input import Input
from zonehost.linux import pidfd
from zonehost.linux.cgroup_group import Group, Part

_LATER: Final = 1.0
"""Seconds after its birth at which a zone that nothing bounds gives its keeper the place beside it."""


@dataclass(slots=True, eq=False)
class Zone:
    """The zone. `process` and `guard` are pidfds, of its first process and of its keeper; this object owns them."""

    id: str
    pid: int
    keeper: int
    record: KeeperRecord
    folder: ZoneFolder
    group: Group
    process: int
    guard: int
    output: Broadcast = field(init=False)
    input: Input | None = None
    """Its standard input, unless that is a terminal or nothing."""
    size: tuple[int, int] | None = None
    """Rows and columns that its terminal was last given, as far as this daemon knows."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its keeper has ended."""
    filter: bytes | None = None
    """Its filter of system calls, an array of struct sock_filter, once it was asked for; empty if it has none."""
    whole: bool = False
    """Whether all its processes surely end with its first one, since that is the first of their PID namespace."""
    settling: asyncio.Future[None] | None = None
    _timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self.output = Broadcast(self.folder)

    def settle(self) -> None:
        """Begin to move the keeper out of the zone's own cgroup, in which it was born, to its place beside it."""
        self._forget_timer()
        if self.settling is None:
            self.settling = asyncio.ensure_future(_settle(self.group, self.keeper))

    def settle_later(self) -> None:
        """Begin to in a moment: many zones do not live that long, and the move may wait for an RCU grace period, with
        a lock that each zone's birth and end needs too."""
        self._timer = asyncio.get_running_loop().call_later(_LATER, self.settle)

    async def settled(self) -> None:
        """Wait until the keeper has left the zone's own cgroup, in which it was born, for its place beside it."""
        self.settle()
        assert self.settling is not None
        await asyncio.shield(self.settling)

    async def kill(self) -> None:
        """Send SIGKILL to all its processes, but not to its keeper, which is to tell how it ended."""
        if not self.whole or self._timer is None:
            await self.settled()
            self.group.kill(Part.ZONE)
        pidfd.send(self.process, signal.SIGKILL)  # and with it its PID namespace, whatever group somebody moved them to
        self.wake_keeper()

    def wake_keeper(self) -> None:
        """Have a keeper that somebody stopped or froze go on: it is to tell how its zone ends."""
        pidfd.send(self.guard, signal.SIGCONT)
        self.group.thaw_keeper()

    @property
    def neighbour(self) -> Neighbour:
        """As one that joins its namespaces sees it."""
        return Neighbour(pid=self.pid, keeper=self.keeper, lease=self.record.lease, first_id=self.record.first_id)

    def close(self) -> None:
        """Let go of it."""
        self._forget_timer()
        self.output.close()
        if self.input is not None:
            self.input.close()
        os.close(self.process)
        os.close(self.guard)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _settle(group: Group, keeper: int) -> None:
    try:
        await asyncio.to_thread(group.move, keeper, Part.KEEPER)
    except OSError as error:
        if error.errno not in (errno.ESRCH, errno.ENOENT, errno.ENODEV):  # the zone has ended, or is gone already
            raise
