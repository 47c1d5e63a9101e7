"""`docker build`: steps from the cache and not, many files, independent stages."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from bench.engines.engine import Engine
from bench.images import scratch
from bench.rows.group import Group, Row

STEPS = 20
FOLDERS, FILES = 100, 500
STAGES = 3
SECONDS = 3

UNCACHED = Row(f"`docker build`, {STEPS} RUN, none cached", "s", reach=1 / 6)
CACHED = Row(f"`docker build`, {STEPS} RUN, all cached", "s", reach=1.0)
COPIED = Row(f"`docker build`, COPY of {FOLDERS * FILES:,} files, changed by one", "s", reach=1 / 2)
PARALLEL = Row(f"`docker build`, {STAGES} independent stages of {SECONDS} s each", "s", at_most=SECONDS * 1.5)

_numbers = itertools.count()


@contextmanager
def _contexts(engine: Engine) -> Iterator[None]:
    """The context with many files, built once: a measured build finds it changed by one file."""
    folder = _folder("many", "FROM busybox\nCOPY tree /tree\n")
    for number in range(FOLDERS):
        inner = folder / "tree" / str(number)
        inner.mkdir(parents=True, exist_ok=True)
        for name in range(FILES):
            (inner / str(name)).write_text(f"{number} {name} " * 20)
    engine.run("build", "--quiet", str(folder))
    yield


def _measure(engine: Engine) -> dict[str, float]:
    run = next(_numbers)
    steps = _folder("steps", "FROM busybox\n" + "".join(f"RUN true {run} {step}\n" for step in range(STEPS)))
    stages = "".join(f"FROM busybox AS s{stage}\nRUN sleep {SECONDS} # {run} {stage}\n" for stage in range(STAGES))
    copies = "".join(f"COPY --from=s{stage} /bin/busybox /{stage}\n" for stage in range(STAGES))
    parallel = _folder("stages", f"{stages}FROM busybox\n{copies}")
    many = _folder("many", "FROM busybox\nCOPY tree /tree\n")
    (many / "tree/7/7").write_text(f"changed {engine.name} {run}")
    return {
        UNCACHED.title: _seconds(engine, steps),
        CACHED.title: _seconds(engine, steps),
        COPIED.title: _seconds(engine, many),
        PARALLEL.title: _seconds(engine, parallel),
    }


def _folder(name: str, dockerfile: str) -> Path:
    folder = scratch() / f"build-{name}"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(dockerfile)
    return folder


def _seconds(engine: Engine, folder: Path) -> float:
    began = perf_counter()
    engine.run("build", "--quiet", str(folder))
    return perf_counter() - began


GROUP = Group("builds", (UNCACHED, CACHED, COPIED, PARALLEL), _measure, runs=3, scene=_contexts)
