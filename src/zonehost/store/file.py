"""One SQLite file of records: what can be read of it and what is wrong with it, a transaction, and making it anew.

Knows nothing of there being two of them. Calls here block, and raise sqlite3.Error where nothing else is said.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from zonehost.errors import SystemFailure
from zonehost.linux.vacate import vacate
from zonehost.store.codec import Key, Row, digest
from zonehost.store.schema import migrate

_PUT = "INSERT OR REPLACE INTO record (kind, key, body, checksum) VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM record WHERE kind = ? AND key = ?"
_ISOLATE = "INSERT OR REPLACE INTO damaged (kind, key, body, checksum, reason) VALUES (?, ?, ?, ?, ?)"
_HEAD = "INSERT OR REPLACE INTO head (one, sequence, digest) VALUES (1, ?, ?)"
_PARTS: Final = ("", "-wal", "-shm")
"""What SQLite adds to a file's name in WAL mode."""
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@dataclass(frozen=True, slots=True)
class Contents:
    """All that can be read of a file. `fault` says what is wrong with the file as a whole, empty if nothing is."""

    rows: dict[Key, Row] = field(default_factory=dict)
    aside: dict[Row, str] = field(default_factory=dict)
    """Damaged rows that an earlier load set aside, and why."""
    sequence: int = 0
    fault: str = ""

    @property
    def intact(self) -> bool:
        """Whether these are exactly the rows that were written."""
        return not self.fault and all(row.sound for row in self.rows.values())


class StateFile:
    """The file at a path, made if it is not there, readable by root alone. `synchronous` as in SQLite's pragma."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self.path = path
        self._synchronous = synchronous
        self._connection: sqlite3.Connection | None = None

    def read(self) -> Contents:
        """What is in it; a file that cannot be read to its end gives what comes before that.

        Raises:
            SystemFailure: the file cannot be opened, or is of a newer zonehost.
        """
        rows: dict[Key, Row] = {}
        try:
            connection = self._open()
            for values in connection.execute("SELECT kind, key, body, checksum FROM record"):
                row = _row(*values)
                rows[row.name] = row
            damaged = connection.execute("SELECT kind, key, body, checksum, reason FROM damaged").fetchall()
            aside = {_row(*values): reason for *values, reason in damaged}
            head = connection.execute("SELECT sequence, digest FROM head").fetchone()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise SystemFailure(f"the state in {self.path} cannot be read: {error}") from error
            return Contents(rows, fault=str(error))
        except IsADirectoryError:
            return Contents(fault="a folder is in its place")
        except OSError as error:
            raise SystemFailure(f"the state in {self.path} cannot be opened: {error}") from error
        if head is None:
            return Contents(rows, aside)
        sequence, expected = head
        fault = "" if digest(rows.values()) == expected else "rows are missing, or are not those that were written"
        return Contents(rows, aside, sequence, fault)

    def write(self, changes: Mapping[Key, Row | None], sequence: int, digest: int) -> None:
        """One transaction, on the disk when it returns as far as `synchronous` asks; all of it or nothing."""
        connection = self._open()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for name, row in changes.items():
                connection.execute(*((_DELETE, name) if row is None else (_PUT, row)))
            connection.execute(_HEAD, (sequence, digest))
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def renew(self, rows: Iterable[Row], aside: Mapping[Row, str], sequence: int, *, keep: bool) -> None:
        """Make the file anew with these rows and those set aside; with `keep`, the old one stays as `.damaged`.

        A crash on the way leaves the old file or the new one.
        """
        self.close()
        rows = tuple(rows)
        draft = StateFile(self.path.with_name(f"{self.path.name}.new"), self._synchronous)
        draft.discard()
        try:
            draft.write({row.name: row for row in rows}, sequence, digest(rows))
            draft._open().executemany(_ISOLATE, [(*row, reason) for row, reason in aside.items()])
            draft.close()
        except BaseException:
            draft.close()
            draft.discard()
            raise
        if keep:
            damaged = self.path.with_name(f"{self.path.name}.damaged")
            vacate(damaged)
            self.path.replace(damaged)
        # The log of the old file must not be taken for the new one's.
        for part in _PARTS[1:]:
            vacate(f"{self.path}{part}")
        draft.path.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Remove it. Idempotent."""
        for part in _PARTS:
            vacate(f"{self.path}{part}")

    def close(self) -> None:
        """Let go of it; SQLite folds its log into it. Idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._connection.text_factory = lambda text: text.decode(errors="replace")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            migrate(self._connection)
        return self._connection


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is not what was written, rather than out of reach (a broken disk, a lock)."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in _DAMAGE or code == sqlite3.SQLITE_IOERR_SHORT_READ


def _row(kind: object, key: object, body: bytes, checksum: int) -> Row:
    """A row as it is on the disk, where damage may have changed the type of a column too."""
    return Row(str(kind), str(key), body, checksum)
