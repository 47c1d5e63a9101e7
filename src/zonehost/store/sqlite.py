"""The store: commits gathered from all tasks into few transactions, each on the disk before its callers go on.

One thread owns the connection. While it waits for the disk, further commits gather; the next transaction takes them all
(group commit), so that sixteen starts at once cost hardly more writes than one. If a gathered transaction fails, its
commits are tried one by one, so that none fails for another's sake.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from zonehost.errors import SystemFailure
from zonehost.ports.records import Change, Corrupt, Loaded, Put, Record
from zonehost.store.codec import Damaged, decode, encode
from zonehost.store.schema import migrate

_PUT = "INSERT OR REPLACE INTO record (kind, key, body, checksum) VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM record WHERE kind = ? AND key = ?"
_ISOLATE = "INSERT OR REPLACE INTO damaged (kind, key, body, checksum, reason) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class _Commit:
    statements: tuple[tuple[str, tuple[object, ...]], ...]
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
    """`ports.records.Records` on one SQLite file in WAL mode."""

    def __init__(self, path: Path) -> None:
        """Open or make the file, readable by root alone.

        Raises:
            SystemFailure: the file cannot be opened, is not a database, or is of a newer zonehost.
        """
        self._queue: queue.SimpleQueue[_Commit | None] = queue.SimpleQueue()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            migrate(self._connection)
        except (OSError, sqlite3.Error) as error:
            raise SystemFailure(f"the state in {path} cannot be opened: {error}") from error
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    def load(self) -> Loaded:
        """Every record; damaged rows are moved aside into a table of their own and named."""
        records: list[Record] = []
        corrupt: list[Corrupt] = []
        try:
            for kind, key, body, checksum in self._connection.execute("SELECT kind, key, body, checksum FROM record"):
                try:
                    records.append(decode(kind, body, checksum))
                except Damaged as damage:
                    corrupt.append(Corrupt(kind, key, str(damage)))
            for damaged in corrupt:
                self._isolate(damaged)
        except sqlite3.Error as error:
            raise SystemFailure(f"the state cannot be read: {error}") from error
        return Loaded(tuple(records), tuple(corrupt))

    async def commit(self, *changes: Change) -> None:
        """All of the changes or none, on the disk when it returns.

        Raises:
            SystemFailure: the disk is full or broken, or the store is closed.
        """
        if not self._thread.is_alive():
            raise SystemFailure("the state is closed")
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._queue.put(_Commit(tuple(map(_statement, changes)), loop, done))
        # A caller that is cancelled must not undo what is on its way to the disk.
        await asyncio.shield(done)

    async def close(self) -> None:
        """Write what is queued, then close the file. Idempotent."""
        if self._thread.is_alive():
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    def _isolate(self, damaged: Corrupt) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        row = self._connection.execute(
            "SELECT body, checksum FROM record WHERE kind = ? AND key = ?", (damaged.kind, damaged.key)
        ).fetchone()
        self._connection.execute(_ISOLATE, (damaged.kind, damaged.key, *row, damaged.reason))
        self._connection.execute(_DELETE, (damaged.kind, damaged.key))
        self._connection.execute("COMMIT")

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
        self._connection.close()

    def _write_together(self, commits: list[_Commit]) -> None:
        if self._write(commits) is None:
            for commit in commits:
                commit.settle(None)
            return
        for commit in commits:
            commit.settle(self._write([commit]))

    def _write(self, commits: list[_Commit]) -> SystemFailure | None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for commit in commits:
                for statement, values in commit.statements:
                    connection.execute(statement, values)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            return SystemFailure(f"the state cannot be written: {error}")
        return None


def _statement(change: Change) -> tuple[str, tuple[object, ...]]:
    if isinstance(change, Put):
        return _PUT, (change.record.kind, change.record.key, *encode(change.record))
    return _DELETE, (change.kind, change.key)
