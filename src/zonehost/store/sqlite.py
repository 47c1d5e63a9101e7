"""The store: commits gathered from all tasks into few transactions, each on the disk before its callers go on.

One thread owns the files. While it waits for the disk, further commits gather; the next transaction takes them all
(group commit), so that sixteen starts at once cost hardly more writes than one. If a gathered transaction fails, its
commits are tried one by one, so that none fails for another's sake.

The state is kept twice: each transaction goes into the copy too, once its callers know that it is on the disk. The
copy is not waited for (a power failure may cost it its last transactions), and a start that finds one of the two
damaged or behind makes it anew from the other (`zonehost.store.mend`).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zonehost.errors import SystemFailure
from zonehost.ports.records import Change, Loaded, Put
from zonehost.store.codec import Key, Row, digest, encode
from zonehost.store.file import StateFile
from zonehost.store.mend import mended

log = logging.getLogger(__name__)
_BEHIND: Final = 64
"""Records that the copy may be behind while commits wait."""


@dataclass(frozen=True, slots=True)
class _Commit:
    changes: dict[Key, Row | None]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]

    def settle(self, error: Exception | None) -> None:
        def deliver() -> None:
            if self.done.done():
                return
            if error is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(error)

        self.loop.call_soon_threadsafe(deliver)


class SqliteRecords:
    """`ports.records.Records` on two SQLite files in WAL mode: `state.db`, and `state.copy.db` beside it."""

    def __init__(self, path: Path) -> None:
        """Open or make the files, readable by root alone.

        Raises:
            SystemFailure: they cannot be opened, neither is a database, or one is of a newer zonehost.
        """
        self._queue: queue.SimpleQueue[_Commit | None] = queue.SimpleQueue()
        self._file = StateFile(path, "FULL")
        self._copy = StateFile(path.with_suffix(".copy.db"), "NORMAL")
        try:
            state = mended(self._file, self._copy)
        except (OSError, sqlite3.Error) as error:
            raise SystemFailure(f"the state in {path} cannot be opened: {error}") from error
        self._loaded = state.loaded
        self._sequence = state.sequence
        self._digests = {name: digest([row]) for name, row in state.rows.items()}
        self._digest = digest(state.rows.values())
        self._owed: dict[Key, Row | None] = dict(state.rows) if state.behind else {}
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    def load(self) -> Loaded:
        """Every record as it was when the store was opened; what was damaged is named."""
        return self._loaded

    async def commit(self, *changes: Change) -> None:
        """All of the changes or none, on the disk when it returns.

        Raises:
            SystemFailure: the disk is full or broken, or the store is closed.
        """
        if not self._thread.is_alive():
            raise SystemFailure("the state is closed")
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._queue.put(_Commit(dict(map(_row, changes)), loop, done))
        # A caller that is cancelled must not undo what is on its way to the disk.
        await asyncio.shield(done)

    async def close(self) -> None:
        """Write what is queued, then close the files. Idempotent."""
        if self._thread.is_alive():
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        open_ = True
        while open_:
            gathered: list[_Commit] = []
            item = self._queue.get()
            while item is not None:
                gathered.append(item)
                if self._queue.empty():
                    break
                item = self._queue.get()
            open_ = item is not None
            if gathered:
                self._write_together(gathered)
            if self._queue.empty() or len(self._owed) >= _BEHIND or not open_:
                self._write_copy()
        self._file.close()
        self._copy.close()

    def _write_together(self, commits: list[_Commit]) -> None:
        if self._write(commits) is None:
            for commit in commits:
                commit.settle(None)
            return
        for commit in commits:
            commit.settle(self._write([commit]))

    def _write(self, commits: list[_Commit]) -> SystemFailure | None:
        changes = {name: row for commit in commits for name, row in commit.changes.items()}
        digests = {name: digest([row] if row is not None else ()) for name, row in changes.items()}
        changed = self._digest
        for name, new in digests.items():
            changed ^= self._digests.get(name, 0) ^ new
        try:
            self._file.write(changes, self._sequence + 1, changed)
        except (OSError, sqlite3.Error) as error:
            return SystemFailure(f"the state cannot be written: {error}")
        self._sequence += 1
        self._digest = changed
        self._note(changes, digests)
        return None

    def _note(self, changes: Mapping[Key, Row | None], digests: Mapping[Key, int]) -> None:
        self._owed.update(changes)
        for name, new in digests.items():
            if changes[name] is None:
                self._digests.pop(name, None)
            else:
                self._digests[name] = new

    def _write_copy(self) -> None:
        """Bring the copy up to date; what it cannot take now, it gets with the next transaction."""
        if not self._owed:
            return
        try:
            self._copy.write(self._owed, self._sequence, self._digest)
        except (OSError, sqlite3.Error) as error:
            log.error("the copy of the state is behind: %s", error)
            return
        self._owed.clear()


def _row(change: Change) -> tuple[Key, Row | None]:
    if isinstance(change, Put):
        row = encode(change.record)
        return row.name, row
    return (change.kind, change.key), None
