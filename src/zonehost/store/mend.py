"""Which of the two files is right when the store opens, and making both of them say the same again.

The one with more transactions is believed; of two that are alike the one whose rows are all there and sound. The rows
that it lacks are taken from the other, and what is sound in neither is set aside and named.
"""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass, replace

from zonehost.errors import SystemFailure
from zonehost.ports.records import Corrupt, Loaded, Record
from zonehost.store.codec import Damaged, Key, Row, decode
from zonehost.store.file import Contents, StateFile

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """What the store begins with: what it tells, the rows in both files, and the number of the last transaction."""

    loaded: Loaded
    rows: dict[Key, Row]
    sequence: int
    behind: bool = False
    """Whether the copy could not be brought up to date, as on a full disk."""


def mended(file: StateFile, copy: StateFile) -> State:
    """Read both, choose, and bring both to the same rows.

    Raises:
        SystemFailure: the file cannot be reached or is of a newer zonehost, or nothing can be read of either.
        OSError, sqlite3.Error: the file cannot be made anew.
    """
    first, second = file.read(), _read_copy(copy)
    if _is_nothing(first) and (_is_nothing(second) or _is_new(second)):
        raise SystemFailure(f"the state in {file.path} cannot be opened: {first.fault}")
    best, other = _ranked(first, second)
    rows = _merged(best, other)
    records, aside = _decoded(rows)
    if best.fault:  # what else was in it, nobody knows
        aside[Row("state", file.path.name, b"", 0)] = best.fault
    fault = first.fault or ("it lacks the last transactions" if first.sequence < second.sequence else "")
    named = _named(file.path.name, fault, first.rows, rows, aside)
    for row in aside:
        rows.pop(row.name, None)
    loaded = Loaded(tuple(records), named, frozenset(row.name for row in (*best.aside, *aside)))
    state = State(loaded, rows, max(first.sequence, second.sequence))
    apart = {**best.aside, **aside}
    _agree(file, first, state, apart)
    try:
        _agree(copy, second, state, apart)
    except (OSError, sqlite3.Error) as error:
        log.error("the copy of the state is behind: %s", error)
        return replace(state, behind=True)
    return state


def _read_copy(copy: StateFile) -> Contents:
    """The copy; one that cannot be reached is as one that was never written."""
    try:
        return copy.read()
    except SystemFailure as error:
        log.error("the copy of the state: %s", error)
        return Contents()


def _merged(best: Contents, other: Contents) -> dict[Key, Row]:
    """The rows of the one, and for those that are damaged or may be missing, the other's."""
    rows = {**other.rows, **best.rows} if best.fault else dict(best.rows)
    for name, row in rows.items():
        if not row.sound and name in other.rows:
            rows[name] = other.rows[name]
    return rows


def _agree(file: StateFile, contents: Contents, state: State, aside: dict[Row, str]) -> None:
    """Make the file anew, unless it holds just what it should."""
    if not contents.intact or contents.rows != state.rows or contents.sequence != state.sequence:
        file.renew(state.rows.values(), aside, state.sequence, keep=bool(contents.fault))


def _ranked(first: Contents, second: Contents) -> tuple[Contents, Contents]:
    """The file to believe, and the other."""

    def rank(contents: Contents) -> tuple[bool, int, bool]:
        return not _is_new(contents), contents.sequence, contents.intact

    return (first, second) if rank(first) >= rank(second) else (second, first)


def _is_new(contents: Contents) -> bool:
    """Whether nothing was ever written to it: it was made just now."""
    return not contents.fault and not contents.rows and contents.sequence == 0


def _is_nothing(contents: Contents) -> bool:
    """Whether nothing can be read of it."""
    return bool(contents.fault) and not contents.rows


def _decoded(rows: dict[Key, Row]) -> tuple[list[Record], dict[Row, str]]:
    records, aside = [], {}
    for row in rows.values():
        try:
            records.append(decode(row))
        except Damaged as damage:
            aside[row] = str(damage)
    return records, aside


def _named(
    name: str, fault: str, first: dict[Key, Row], rows: dict[Key, Row], aside: dict[Row, str]
) -> tuple[Corrupt, ...]:
    """What is to be told: what is wrong with the state's file, what was set aside, what came back from the copy."""
    lost = [Corrupt(row.kind, row.key, reason) for row, reason in aside.items() if row.kind != "state"]
    names = {row.name for row in aside}
    back = [
        Corrupt(row.kind, row.key, "its checksum is wrong", restored=True)
        for row in first.values()
        if not row.sound and row.name in rows and row.name not in names
    ]
    whole = [Corrupt("state", name, fault, restored=not aside)] if fault else []
    return (*whole, *lost, *back)
