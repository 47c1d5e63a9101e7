"""The driver of the logs port: files that conmon writes, rotated by the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from zonehost.domain.syslog import SyslogTarget
from zonehost.drivers.logs import reader
from zonehost.drivers.logs.changes import FileChanges
from zonehost.drivers.logs.syslog import SyslogLink, forward, reached
from zonehost.ports.logs import LogLine

_PAUSE = 1.0
"""Seconds between two looks at the size of a log that is being written."""

_LAST_WORDS = 2.0
"""Seconds that the last lines of a zone may take on their way to a receiver."""


class LogFiles:
    """`ports.logs.Logs` on log files in conmon's format."""

    def __init__(self) -> None:
        self._changes = FileChanges()
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._forwarders: dict[str, tuple[asyncio.Event, asyncio.Task[None]]] = {}

    def read(
        self,
        path: str,
        *,
        since: int = 0,
        until: int = 0,
        tail: int = -1,
        follow: Callable[[], Awaitable[None]] | None = None,
    ) -> AsyncIterator[list[LogLine]]:
        """Lines in batches, oldest first; see the port."""
        if follow is None:
            return reader.read(path, since, until, tail)
        return reader.follow(path, since, until, tail, follow, self._changes)

    def keep(
        self, zone: str, path: str, *, max_size: int, max_files: int, reopen: Callable[[], Awaitable[None]]
    ) -> None:
        """Rotate the log while its zone runs."""
        self._stop_keeping(zone)
        self._keepers[zone] = asyncio.create_task(self._rotate(path, max_size, max_files, reopen))

    async def forward(self, zone: str, path: str, target: SyslogTarget, pid: int) -> None:
        """Pass the log on to syslog while its zone runs.

        Raises:
            Unavailable: the receiver cannot be reached now.
        """
        link = SyslogLink(target)
        await link.open()
        mark = Path(f"{path}.sent")
        ended = asyncio.Event()

        async def end() -> None:
            await ended.wait()

        async def work() -> None:
            since = reached(mark)
            lines = self.read(path, since=since + 1 if since else 0, follow=end)
            try:
                await forward(link, pid, lines, mark)
            finally:
                link.close()

        self._forwarders[zone] = (ended, asyncio.create_task(work()))

    async def forget(self, zone: str) -> None:
        """Stop rotating and forwarding."""
        self._stop_keeping(zone)
        ended, task = self._forwarders.pop(zone, (None, None))
        if ended is not None and task is not None:
            ended.set()
            await asyncio.wait((task,), timeout=_LAST_WORDS)
            task.cancel()

    async def close(self) -> None:
        """Stop everything."""
        for zone in tuple(self._keepers):
            self._stop_keeping(zone)
        for _, task in self._forwarders.values():
            task.cancel()
        await self._changes.close()

    def _stop_keeping(self, zone: str) -> None:
        task = self._keepers.pop(zone, None)
        if task is not None:
            task.cancel()

    async def _rotate(self, path: str, max_size: int, max_files: int, reopen: Callable[[], Awaitable[None]]) -> None:
        while True:
            change = self._changes.next(path)
            try:
                size = _size(path)
                if size is None:
                    await reopen()
                elif size > max_size:
                    _shift(path, max_files)
                    await reopen()
                else:
                    await change
            finally:
                change.cancel()
            await asyncio.sleep(_PAUSE)


def _size(path: str) -> int | None:
    """None if somebody deleted it: then its writer writes to a file that nobody can read, and that has no bound."""
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return None


def _shift(path: str, max_files: int) -> None:
    """Rename the log's files one up; the oldest goes."""
    for number in range(max_files - 1, 0, -1):
        newer = Path(reader.rotated(path, number - 1))
        if newer.exists():
            newer.rename(reader.rotated(path, number))
    if max_files == 1:
        Path(path).unlink(missing_ok=True)
