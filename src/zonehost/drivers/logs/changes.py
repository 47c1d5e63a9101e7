"""Waiting until a file changes: one inotify instance for all logs of the daemon."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import partial

from zonehost.linux import inotify

_MASK = (
    inotify.MODIFY
    | inotify.CLOSE_WRITE
    | inotify.CREATE
    | inotify.MOVED_TO
    | inotify.MOVE_SELF
    | inotify.DELETE_SELF
    | inotify.ONESHOT
)


class FileChanges:
    """Hands out futures of the next change of a file: a write, a close by its writer, a rename, a new entry.

    Every watch is for one event, so that a log that nobody waits for costs nothing, and a flood wakes its reader once
    a round instead of once a line.
    """

    def __init__(self) -> None:
        self._inotify: inotify.Inotify | None = None
        self._waiting: dict[int, list[asyncio.Future[None]]] = defaultdict(list)
        self._reader: asyncio.Task[None] | None = None

    def next(self, path: str) -> asyncio.Future[None]:
        """Done at the first change of the file (or directory) after this call; done at once if there is none.

        Who does not wait for it any more cancels it: a watch holds its file, and with it a subvolume that was destroyed
        around it, of which the kernel tells nothing.
        """
        future = asyncio.get_running_loop().create_future()
        if self._inotify is None:
            self._inotify = inotify.Inotify()
            self._reader = asyncio.create_task(self._dispatch(self._inotify))
        try:
            watch = self._inotify.add(path, _MASK)
        except FileNotFoundError:
            future.set_result(None)
            return future
        self._waiting[watch].append(future)
        future.add_done_callback(partial(self._let_go, watch))
        return future

    def _let_go(self, watch: int, future: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(watch, [])
        if future.cancelled() and future in waiting:
            waiting.remove(future)
            if not waiting and self._inotify is not None:
                del self._waiting[watch]
                self._inotify.remove(watch)

    async def close(self) -> None:
        """Stop; futures handed out stay undone."""
        if self._reader is not None and self._inotify is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._inotify.close()
            self._reader = self._inotify = None

    async def _dispatch(self, source: inotify.Inotify) -> None:
        while True:
            for event in await source.read():
                for future in self._waiting.pop(event.watch, ()):
                    if not future.done():
                        future.set_result(None)
