"""The ten rows of docs/reliability.md: figures gathered while the tests run, kept as JSON, written as a table.

Owns the two files and how figures of several tests become one. Knows nothing of what is measured.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).parents[3] / "docs"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
TITLES: Final = {
    1: "SIGKILL of daemon, launcher and keepers at each named point; then start",
    2: "SIGKILL of the daemon at random moments under 8 clients",
    3: "escapees, then rm",
    4: "foreign mount namespaces, then rm",
    5: "firewall flushed and bridge deleted under a running zone",
    6: "daemon restarts beside a TCP stream and a log writer",
    7: "hung zones: list, inspect, create and stop of others",
    8: "churn of run and rm",
    9: "ENOSPC and EIO at the daemon's own writes; damaged database",
    10: "races of 8 clients against a model",
}

WHOLE: Final = "whole"
"""What a run of all tests is called, rows and others."""

Figure = Callable[..., None]
"""`figure(name, value, fold=max)`: a figure of the test's row; of several tests, `fold` makes one."""
FOLDS: Final[dict[str, Callable[[Iterable[Any]], Any]]] = {"max": max, "sum": sum}


@dataclass(frozen=True, slots=True)
class Found:
    """A value of a figure, and how it goes together with those of other tests."""

    value: Any
    fold: str


@dataclass
class Row:
    """What the tests of one row found."""

    figures: dict[str, list[Found]] = field(default_factory=dict)
    tests: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def add(self, name: str, found: Found) -> None:
        """One more value of a figure."""
        self.figures.setdefault(name, []).append(found)

    def folded(self) -> dict[str, Any]:
        """Each figure as one value."""
        return {name: FOLDS[all_[0].fold](found.value for found in all_) for name, all_ in self.figures.items()}


def lines(rows: dict[int, Row]) -> list[str]:
    """One line a figure."""
    return [
        f"row {number:2}  {name}: {value}"
        for number, row in sorted(rows.items())
        for name, value in {"tests": len(row.tests), "failed": len(row.failed), **row.folded()}.items()
    ]


def keep(rows: dict[int, Row], seconds: float | None = None) -> None:
    """Write the rows that ran into docs/reliability.json, and all that it holds into the table of the page.

    `seconds` is what a run of everything took; None of a run of less.
    """
    store = DOCS / "reliability.json"
    known: dict[str, Any] = json.loads(store.read_text()) if store.exists() else {}
    measured = {"date": time.strftime("%Y-%m-%d"), "machine": f"Linux {platform.release()}, {os.cpu_count()} CPUs"}
    for number, row in rows.items():
        known[str(number)] = {
            **measured,
            "tests": len(row.tests),
            "failed": len(row.failed),
            "seconds": round(row.seconds),
            "figures": row.folded(),
        }
    if seconds is not None:
        known[WHOLE] = {**measured, "seconds": round(seconds)}
    order = [WHOLE, *map(str, TITLES)]
    store.write_text(json.dumps(dict(sorted(known.items(), key=lambda row: order.index(row[0]))), indent=1) + "\n")
    page = DOCS / "reliability.md"
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(before + BEGIN + _table(known) + END + rest.partition(END)[2])


def _table(known: dict[str, Any]) -> str:
    head = "| | what is tried | found | took |\n|---|---|---|---|\n"
    body = "".join(
        f"| {number} | {title} | {_found(known.get(str(number)))} | {_took(known.get(str(number)))} |\n"
        for number, title in TITLES.items()
    )
    places = sorted({f"{row['date']}, {row['machine']}" for row in known.values()})
    whole = known.get(WHOLE)
    took = f" One run of everything took {whole['seconds']} s, {whole['date']}." if whole is not None else ""
    return f"{head}{body}\nMeasured {'; '.join(places)}.{took}\n"


def _found(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not run yet"
    told = [f"{name} {value}" for name, value in row["figures"].items()]
    if row["failed"]:
        told.insert(0, f"**{row['failed']} of {row['tests']} tests failed**")
    return "; ".join(told)


def _took(row: dict[str, Any] | None) -> str:
    return f"{row['seconds']} s" if row is not None else ""
