"""Memory of an engine at work: how far above idle it goes while it pulls, pushes and builds (proportional set size)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.engines.engine import Engine
from bench.engines.podman import Podman
from bench.images import scratch
from bench.layout import layout
from bench.registry import fill, registry
from bench.rows.group import Group, Row

MIB = 1 << 20
SECONDS = 0.05
PULL = Row("memory above idle, pulling 1 GB (PSS, highest)", "MiB", at_most=150)
PUSH = Row("memory above idle, pushing 1 GB (PSS, highest)", "MiB", at_most=150)
BUILD = Row("memory above idle, building on it (PSS, highest)", "MiB", at_most=150)

DOCKERFILE = """\
FROM {base} AS one
RUN cat /srv/0/*/* > /copy
FROM {base}
RUN cat /srv/1/*/* > /copy
COPY --from=one /copy /other
"""

_source: dict[str, str] = {}


@contextmanager
def _filled(engine: Engine) -> Iterator[None]:
    with registry(engine) as address:
        _source[engine.name] = fill(engine, address, layout(), "gzip")
        yield


def _measure(engine: Engine) -> dict[str, float]:
    if isinstance(engine, Podman):  # without a daemon, memory is a command's
        return {}
    base = _source[engine.name]
    folder = scratch() / "work"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=base))
    with registry(engine) as address:
        name = f"{address}/five:1"
        figures = {PULL.title: _highest(engine, lambda: engine.run("pull", base))}
        engine.run("tag", base, name)
        figures[PUSH.title] = _highest(engine, lambda: engine.run("push", name))
        figures[BUILD.title] = _highest(engine, lambda: engine.run("build", "--quiet", "--tag", "work", str(folder)))
    engine.remove_images("work")
    # What the build keeps besides holds the layers of its base.
    engine.run("image", "prune", "--force")
    engine.run("builder", "prune", "--all", "--force")
    engine.remove_images(base)
    return figures


def _highest(engine: Engine, work: Callable[[], object]) -> float:
    """In MiB above what it was before."""
    idle = highest = engine.overhead()
    done = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(SECONDS):
            highest = max(highest, engine.overhead())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return (highest - idle) / MIB


GROUP = Group("work", (PULL, PUSH, BUILD), _measure, runs=1, scene=_filled)
