"""A group of rows of the table: what is measured together, because one gives what the other takes away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from bench.engines.engine import Engine


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, and what zonehost shall reach, where set.

    Where less is better: at most `reach` times Docker's figure, or `at_most`. Where more is: at least `at_least` times
    Docker's figure, or `floor`.
    """

    title: str
    unit: str
    reach: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    floor: float | None = None


@contextmanager
def nothing(engine: Engine) -> Iterator[None]:
    """The scene of a group that needs none."""
    yield


@dataclass(frozen=True, slots=True)
class Group:
    """`scene` is set up once an engine, `measure` is called `runs` times and answers one figure a row, by title.

    An engine that cannot be measured (no daemon, say) leaves the row out.
    """

    name: str
    rows: tuple[Row, ...]
    measure: Callable[[Engine], Mapping[str, float]]
    runs: int = 7
    scene: Callable[[Engine], AbstractContextManager[None]] = nothing
