"""docs/benchmarks.md, drawn from docs/benchmarks.json: of each group the figures of its last run.

A group can so be measured again by itself, at a quiet moment, without losing the others. What a reader must know of the
machine stands in docs/benchmarks-remarks.md.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from bench import machine
from bench.report import Figures, cells, headings
from bench.rows.group import Group

_DOCS: Final = Path(__file__).parents[1] / "docs"
_FIGURES: Final = _DOCS / "benchmarks.json"
_REMARKS: Final = _DOCS / "benchmarks-remarks.md"
PAGE: Final = _DOCS / "benchmarks.md"
_HEAD: Final = """# Benchmarks

Made by `sudo make bench`, or a group at a time by `sudo .venv/bin/python -m bench --keep GROUP`. Medians; the engines
take turns within each row, so that what else the machine does falls on all of them. Figures are of one machine, good
for their ratios. All engines have their run roots on a tmpfs, as on machines whose /run is one.
[benchmarks.json](benchmarks.json) has every sample.
"""


def keep(group: Group, table: Sequence[Figures], engines: Sequence[str]) -> None:
    """Remember the figures of a group that was just measured."""
    kept = _kept()
    kept[group.name] = {
        "day": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "load": round(os.getloadavg()[1], 1),
        "machine": machine.description(),
        "engines": list(engines),
        "rows": {figures.row.title: figures.samples for figures in table},
    }
    _FIGURES.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def draw(groups: Iterable[Group]) -> None:
    """Write the page anew, the groups in this order."""
    kept = _kept()
    known = [(group, kept[group.name]) for group in groups if group.name in kept]
    lines = [_HEAD]
    lines += [f"Machine: {described}\n" for described in dict.fromkeys(entry["machine"] for _, entry in known)]
    lines += [_REMARKS.read_text()] if _REMARKS.exists() else []
    for group, entry in known:
        lines += [f"## {group.name}", "", f"{entry['day']}, load average {entry['load']}", ""]
        lines += [*_table(group, entry), ""]
    PAGE.write_text("\n".join(lines))


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(_FIGURES.read_text()) if _FIGURES.exists() else {}
    return kept


def _table(group: Group, entry: dict[str, Any]) -> list[str]:
    engines = entry["engines"]
    rows = [Figures(row, entry["rows"][row.title]) for row in group.rows if row.title in entry["rows"]]
    drawn = [headings(engines), ["---"] * len(headings(engines)), *(cells(figures, engines) for figures in rows)]
    return ["| " + " | ".join(parts) + " |" for parts in drawn]
