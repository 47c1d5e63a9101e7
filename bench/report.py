"""The table of the bench: its cells, and how it looks on the terminal."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from bench.rows.group import Row


@dataclass(slots=True)
class Figures:
    """All samples of one row, by engine."""

    row: Row
    samples: dict[str, list[float]] = field(default_factory=dict)

    def median(self, engine: str) -> float | None:
        samples = self.samples.get(engine)
        return statistics.median(samples) if samples else None

    def ratio(self) -> float | None:
        """Docker's median is 1."""
        ours, docker = self.median("zonehost"), self.median("Docker")
        return None if ours is None or not docker else ours / docker

    def is_reached(self) -> bool | None:
        """Whether zonehost keeps what the row sets, as far as it is shown; None where it cannot be said."""
        ours, ratio = self.median("zonehost"), self.ratio()
        if ours is not None and self.row.at_most is not None:
            return ours <= self.row.at_most
        if ours is not None and self.row.floor is not None:
            return ours >= self.row.floor
        if ratio is not None and self.row.at_least is not None:
            return round(ratio, 2) >= self.row.at_least
        if ratio is not None and self.row.reach is not None:
            return round(ratio, 2) <= round(self.row.reach, 2)
        return None


def cells(figures: Figures, engines: Sequence[str]) -> list[str]:
    """A row of the table as text."""
    ratio = figures.ratio()
    return [
        figures.row.title,
        figures.row.unit,
        *(_number(figures.median(engine)) for engine in engines),
        "–" if ratio is None else f"{ratio:.2f}",
        _aim(figures.row),
        {True: "yes", False: "no", None: ""}[figures.is_reached()],
        "; ".join(f"{engine} {_spread(samples)}" for engine, samples in figures.samples.items()),
    ]


def headings(engines: Sequence[str]) -> list[str]:
    return ["work", "unit", *engines, "ratio to Docker", "to reach", "reached", "lowest to highest (runs)"]


def show(table: Sequence[Figures], engines: Sequence[str], console: Console) -> None:
    drawn = Table(title="zonehost, Docker and Podman, alternating in one run: medians")
    for heading in headings(engines)[:-1]:
        drawn.add_column(heading, justify="left" if heading == "work" else "right", overflow="fold")
    for figures in table:
        drawn.add_row(*cells(figures, engines)[:-1])
    console.print(drawn)


def _aim(row: Row) -> str:
    if row.at_most is not None:
        return f"{row.at_most:g} {row.unit}"
    if row.floor is not None:
        return f"at least {row.floor:g} {row.unit}"
    if row.at_least is not None:
        return f"at least {row.at_least:.2f}"
    return "–" if row.reach is None else f"{row.reach:.2f}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _spread(samples: Sequence[float]) -> str:
    return f"{_number(min(samples))} to {_number(max(samples))} ({len(samples)})"
