"""The logs of zones: what the keeper wrote, read back.

The keeper appends to one file a zone, also while the daemon is down; this port reads, follows and rotates it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from zonehost.domain.syslog import SyslogTarget
from zonehost.ports.streams import Stream


@dataclass(frozen=True, slots=True)
class LogLine:
    """A piece of output. `time` is nanoseconds since the epoch; `data` ends in a newline unless the line was cut."""

    time: int
    stream: Stream
    data: bytes


class Logs(Protocol):
    """The log files of zones."""

    def read(
        self,
        path: str,
        *,
        since: int = 0,
        until: int = 0,
        tail: int = -1,
        follow: Callable[[], Awaitable[None]] | None = None,
    ) -> AsyncIterator[list[LogLine]]:
        """Lines of the log at the path and its rotated parts, in order, in batches.

        `since` and `until` are nanoseconds (0: open), `tail` counts lines from the end (-1: all). With `follow`, goes
        on as lines are written until the awaitable returns (the zone has ended), and then to the end of the file.
        """

    def keep(
        self, zone: str, path: str, *, max_size: int, max_files: int, reopen: Callable[[], Awaitable[None]]
    ) -> None:
        """Watch a running zone's log and rotate it past `max_size` bytes, keeping `max_files` files in all."""

    async def forward(self, zone: str, path: str, target: SyslogTarget, pid: int) -> None:
        """Pass the lines of a running zone's log on to syslog, from where an earlier call for this log left off.

        Raises:
            Unavailable: the receiver cannot be reached now. Later it may go and come: lines wait for it in the file.
        """

    async def forget(self, zone: str) -> None:
        """Stop watching a zone that has ended; what it wrote last is passed on first, within a bound. Idempotent."""
