"""Further processes in zones, as long as the daemon remembers them: they are in no record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from zonehost.errors import NotFound
from zonehost.ports.runtime import RunningExec

KEPT: Final = 1024
"""Execs that do not run and are remembered: to be started, or asked for their exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecRequest:
    """What to run in a zone, in the words of the API."""

    cmd: tuple[str, ...]
    env: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    privileged: bool = False
    tty: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: str = ""
    console_size: tuple[int, int] | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Exec:
    """A further process: created, running or exited."""

    id: str
    zone: str
    request: ExecRequest
    state: str = "created"
    pid: int = 0
    exit_code: int | None = None
    process: RunningExec | None = field(default=None, repr=False)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    tried: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    """Set once it has been started, or could not be."""


class Execs:
    """By id; of those that do not run, the oldest is forgotten once there are too many."""

    def __init__(self) -> None:
        self._execs: dict[str, Exec] = {}
        self._idle: dict[str, None] = {}

    def find(self, exec_id: str) -> Exec:
        """By whole id.

        Raises:
            NotFound: there is none.
        """
        found = self._execs.get(exec_id)
        if found is None:
            raise NotFound(f"No such exec instance: {exec_id}")
        return found

    def of(self, zone: str) -> Iterator[Exec]:
        """Those of a zone that run or may still be started."""
        return (entry for entry in tuple(self._execs.values()) if entry.zone == zone and entry.state != "exited")

    def add(self, entry: Exec) -> None:
        """Take in a new one."""
        self._execs[entry.id] = entry
        self.ended(entry)

    def began(self, entry: Exec) -> None:
        """Note that one runs now."""
        self._idle.pop(entry.id, None)

    def ended(self, entry: Exec) -> None:
        """Note that one does not run."""
        self._idle[entry.id] = None
        while len(self._idle) > KEPT:
            self._forget(next(iter(self._idle)))

    def give_up(self, zone: str) -> None:
        """Forget those of a zone that were not started: it has ended, and they are not of its next run."""
        for entry in tuple(self._execs.values()):
            if entry.zone == zone and entry.state == "created":
                self._forget(entry.id)

    def drop_of(self, zone: str) -> None:
        """Forget all of a zone."""
        for entry in tuple(self._execs.values()):
            if entry.zone == zone:
                self._forget(entry.id)

    def _forget(self, exec_id: str) -> None:
        self._execs.pop(exec_id, None)
        self._idle.pop(exec_id, None)
