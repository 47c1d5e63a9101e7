"""The file's layout and how an older one becomes today's."""

from __future__ import annotations

import sqlite3
from typing import Final

from zonehost.errors import SystemFailure

MIGRATIONS: Final = (
    """
    CREATE TABLE record (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        body BLOB NOT NULL,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (kind, key)
    ) WITHOUT ROWID;
    CREATE TABLE damaged (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        body BLOB,
        checksum INTEGER,
        reason TEXT NOT NULL,
        PRIMARY KEY (kind, key)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE head (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        sequence INTEGER NOT NULL,
        digest INTEGER NOT NULL
    );
    """,
)
"""Statement n brings a file of version n to version n + 1 (PRAGMA user_version).

`head` counts the transactions and says which rows there must be; a file of version 1 has none until it is written to.
"""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to the newest version, each step in a transaction of its own.

    Raises:
        SystemFailure: the file is of a newer zonehost.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise SystemFailure(
            f"the state is of a newer zonehost (version {version}, this one knows {len(MIGRATIONS)}): "
            "run that version, or give another --data-root"
        )
    for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN; {statements} PRAGMA user_version = {number}; COMMIT;")
