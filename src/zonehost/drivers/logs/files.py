"""The driver of the logs port: files that conmon writes, rotated by the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from zonehost.drivers.logs import reader
from zonehost.drivers.logs.changes import FileChanges
from zonehost.ports.logs import LogLine

_PAUSE = 1.0
"""Seconds between two looks at the size of a log that is being written."""


class LogFiles:
    """`ports.logs.Logs` on log files in conmon's format."""

    def __init__(self) -> None:
        self._changes = FileChanges()
        self._keepers: dict[str, asyncio.Task[None]] = {}

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
        self.forget(zone)
        self._keepers[zone] = asyncio.create_task(self._rotate(path, max_size, max_files, reopen))

    def forget(self, zone: str) -> None:
        """Stop rotating."""
        task = self._keepers.pop(zone, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Stop everything."""
        for zone in tuple(self._keepers):
            self.forget(zone)
        await self._changes.close()

    async def _rotate(self, path: str, max_size: int, max_files: int, reopen: Callable[[], Awaitable[None]]) -> None:
        while True:
            change = self._changes.next(path)
            if _size(path) > max_size:
                _shift(path, max_files)
                await reopen()
            else:
                await change
            await asyncio.sleep(_PAUSE)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return 0


def _shift(path: str, max_files: int) -> None:
    """Rename the log's files one up; the oldest goes."""
    for number in range(max_files - 1, 0, -1):
        newer = Path(reader.rotated(path, number - 1))
        if newer.exists():
            newer.rename(reader.rotated(path, number))
    if max_files == 1:
        Path(path).unlink(missing_ok=True)
