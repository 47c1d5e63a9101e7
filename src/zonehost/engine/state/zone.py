"""One container of the host, with what is alive of it beside its record."""

from __future__ import annotations

import asyncio
from typing import Protocol

from zonehost.domain.container import Container, Status
from zonehost.domain.phase import Phase
from zonehost.engine.state.bell import Bell
from zonehost.ports.runtime import Exit
from zonehost.ports.streams import Streams


class Waiting(Protocol):
    """A client that attached before the zone was born."""

    def connect(self, streams: Streams) -> None:
        """The zone is born: these are its streams."""

    def give_up(self) -> None:
        """It will not be born."""


class Zone:
    """The record is frozen and replaced whole; who replaces it for more than its health holds the lock.

    No lock is needed to read: a hung zone never delays a list or an inspect.
    """

    __slots__ = (
        "ended",
        "ends",
        "exits",
        "health_check",
        "launched_at",
        "lent",
        "lock",
        "no_restart",
        "record",
        "removal",
        "restart_wait",
        "restarting",
        "stays",
        "waiting",
    )

    def __init__(self, record: Container) -> None:
        self.record = record
        self.lock = asyncio.Lock()
        self.ends: Bell[int] = Bell()
        """Rings with the exit code as soon as nothing runs in the zone; its kernel objects may still be there."""
        self.exits: Bell[int] = Bell()
        """Rings with the exit code each time the zone ends, when it is dismantled and its record says so."""
        self.removal: Bell[int] = Bell()
        """Rings when it is gone."""
        self.waiting: set[Waiting] = set()
        self.lent: tuple[str, ...] = ()
        """Variables that its first process gets and no record has, NAME=value: secrets of a build."""
        self.ended: Exit | None = None
        """How its last run ended, until someone who holds the lock has dealt with it."""
        self.no_restart = False
        """It was told to end: no policy starts it again this time."""
        self.stays = False
        """It ends only to be started again: `--rm` does not hold now."""
        self.launched_at = 0
        """When this daemon started it last, in nanoseconds of the machine's uptime; 0 where it did not."""
        self.restart_wait = 0.0
        """Seconds that the last restart by policy waited; 0 for none."""
        self.restarting: asyncio.Task[None] | None = None
        self.health_check: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The container's id."""
        return self.record.id

    @property
    def listed(self) -> bool:
        """Whether clients may see it: half-made is not made."""
        return self.record.phase is not Phase.MAKING

    @property
    def active(self) -> bool:
        """Whether it runs, is paused, or is between two runs of a restart policy."""
        return self.record.state.running or self.record.state.status is Status.RESTARTING
