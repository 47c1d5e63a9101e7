"""Zones as kernel objects: born, started, watched, ended, removed.

Everything that a zone uses in the kernel is named from its id, so each verb finds its zone by id alone, also after
a restart of the daemon. Removal is idempotent and complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from zonehost.domain.blueprint import Blueprint, ExecPlan, Limits
from zonehost.ports.streams import Streams

Plumb = Callable[[int], Awaitable[None]]
"""Called with the file descriptor of the zone's network namespace, valid until it returns."""


@dataclass(frozen=True, slots=True)
class Born:
    """A zone whose process waits at the gate. `first_id` is the host's id of its root, 0 for the host's own ids."""

    pid: int
    keeper: int
    first_id: int


@dataclass(frozen=True, slots=True)
class Exit:
    """How a zone ended. `time` is nanoseconds since the epoch; `lost`: its keeper died, and the code is a guess."""

    zone: str
    code: int
    time: int
    oom_killed: bool
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """A zone found alive by a survey, past its gate; one that still waits there is among the remains."""

    zone: str
    pid: int
    keeper: int
    first_id: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What the kernel holds of this instance. `remains` are ids with anything left and no living zone."""

    running: tuple[Running, ...]
    ended: tuple[Exit, ...]
    remains: frozenset[str]


@dataclass(frozen=True, slots=True)
class ProcessTable:
    """`docker top`: column titles and one row a process."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """Raw counters of a zone at one moment, in the kernel's units (bytes, nanoseconds, counts)."""

    time: int
    cpu_total: int
    cpu_user: int
    cpu_system: int
    cpu_per_cpu: tuple[int, ...]
    host_cpu_total: int
    online_cpus: int
    throttled_periods: int
    throttling_periods: int
    throttled_time: int
    memory_usage: int
    memory_limit: int
    memory_max_usage: int
    memory_failures: int
    memory_stats: dict[str, int]
    pids: int
    pids_limit: int
    block_bytes: tuple[tuple[int, int, str, int], ...]
    """Major, minor, operation (read, write), bytes."""
    block_operations: tuple[tuple[int, int, str, int], ...]
    interfaces: dict[str, dict[str, int]]
    """By name: rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped."""
    cgroup_version: int


class Runtime(Protocol):
    """Makes and ends zones."""

    async def create(self, blueprint: Blueprint, plumb: Plumb | None = None) -> Born:
        """Build the zone up to the gate: its process exists and waits for `start`.

        `plumb` is awaited while the rest is built, if the zone has a network namespace of its own; if it raises, so
        does create. On any error nothing of the zone is left.

        Raises:
            InvalidParameter: something in the blueprint cannot be (unknown user, no such program), in Docker's words.
            NotFound: a volume or an image has no such subpath, in Docker's words.
            Unsupported: a limit that this kernel cannot enforce, by name.
        """

    async def start(self, zone: str) -> None:
        """Open the gate.

        Raises:
            InvalidParameter: the program cannot be run (`exec: "x": executable file not found in $PATH`).
        """

    async def attach(self, zone: str) -> Streams:
        """The streams of a zone that is born; several clients may attach. Nothing is lost after this returns.

        Raises:
            Conflict: the zone is not running.
        """

    async def resize(self, zone: str, rows: int, columns: int) -> None:
        """Set the size of the zone's terminal."""

    async def check_user(self, zone: str, user: str) -> None:
        """Look whether `user[:group]`, in names or numbers, is somebody in a running zone.

        Raises:
            InvalidParameter: there is no such user or group, in Docker's words. Conflict: the zone is not running.
        """

    async def exec(self, plan: ExecPlan) -> RunningExec:
        """Start a further process in a running zone.

        Raises:
            InvalidParameter: no such user, no such program. Conflict: the zone is not running, or is paused.
        """

    async def kill(self, zone: str, signal: int) -> None:
        """Send the signal to the zone's first process. Sending to one that has just ended is not an error."""

    async def pause(self, zone: str) -> None:
        """Freeze every process. Idempotent."""

    async def resume(self, zone: str) -> None:
        """Thaw every process. Idempotent."""

    async def update(self, zone: str, limits: Limits) -> None:
        """Change the limits of a running zone."""

    async def top(self, zone: str, ps_args: str) -> ProcessTable:
        """The zone's processes as ps(1) shows them."""

    async def holdup(self, zone: str) -> str:
        """What keeps a zone that was killed from ending: its processes, and where in the kernel each of them waits."""

    async def sample(self, zone: str) -> Sample:
        """Its counters now."""

    async def reopen_log(self, zone: str) -> None:
        """Have the keeper open its log file anew, after it was renamed."""

    async def remove(self, zone: str, noted: asyncio.Future[None] | None = None) -> None:
        """End every process of the zone and take away all that the kernel holds of it. Idempotent.

        How the zone ended is not forgotten before `noted` is done: until then, a survey of the next daemon finds it.

        Raises:
            Blocked: a process cannot be ended; says which and what holds it. The rest is gone.
        """

    async def expel(self, zone: str, pid: int) -> None:
        """Take a process of the host, which someone put into the zone's cgroup, out of it. Idempotent."""

    async def supervise(self) -> None:
        """Have the calls of zones with limits answered (`ports.supervisor`), where they are not. Idempotent.

        Raises:
            SystemFailure: nobody can answer.
        """

    def exits(self) -> AsyncIterator[Exit]:
        """Every end of a zone, once, as it happens."""

    async def survey(self) -> Survey:
        """What is there, at start. From here on, the ends of the running ones are watched."""


class RunningExec(Protocol):
    """A further process that runs."""

    pid: int
    streams: Streams

    async def resize(self, rows: int, columns: int) -> None:
        """Set the size of its terminal."""

    async def kill(self, signal: int) -> None:
        """Send the signal to it and to what it has started, in its process group; nothing if it has ended."""

    async def wait(self) -> int:
        """Its exit code, 128 + signal if a signal ended it. May be awaited by several."""
