"""New connections a second from outside to published ports: to one that is alone, and to 1,000 in turn."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from bench import outside
from bench.engines.engine import Engine
from bench.engines.podman import Podman
from bench.rows.group import Group, Row

FIRST = 20000
PORTS = 1000
SECONDS = 1
PAUSE = 0.002

AT_ONE = Row("new connections a second to a published port, 1 published", "1/s", at_least=1)
AT_LOOPBACK = Row("new connections a second from the host to a published port on 127.0.0.1", "1/s", at_least=3)
AT_MANY = Row(f"new connections a second to published ports, {PORTS:,} published", "1/s", at_least=3)


def _scene(count: int) -> Callable[[Engine], AbstractContextManager[None]]:
    ports = str(FIRST) if count == 1 else f"{FIRST}-{FIRST + count - 1}"

    @contextmanager
    def scene(engine: Engine) -> Iterator[None]:
        if not _can(engine, count):
            yield
            return
        published = f"0.0.0.0:{ports}:{ports}"
        engine.run("run", "-d", "--name", f"ports{count}", "-p", published, "busybox", "sleep", "3600")
        yield
        engine.remove([f"ports{count}"])

    return scene


def _can(engine: Engine, count: int) -> bool:
    """Podman gives the container's keeper an open file a port: more than 1,000 are too many for crun."""
    return count == 1 or not isinstance(engine, Podman)


def _serving(engine: Engine, count: int, pause: float) -> AbstractContextManager[None]:
    words = (sys.executable, "-m", "bench.traffic.accepting", str(FIRST), str(FIRST + count - 1), str(pause))
    return outside.serving(outside.inside(engine, f"ports{count}"), *words, ready="ready")


def _rate(netns: Path, address: str, count: int, end: str) -> float:
    words = (address, str(FIRST), str(FIRST + count - 1), str(SECONDS), end)
    [rate] = outside.measure(netns, "connecting", *words)
    return rate


def _at_one(engine: Engine) -> dict[str, float]:
    with _serving(engine, 1, PAUSE), outside.outside(engine) as stranger:
        figures = {AT_ONE.title: _rate(stranger, outside.HOST, 1, "reset")}
    with _serving(engine, 1, 0):
        return {**figures, AT_LOOPBACK.title: _rate(engine.netns, "127.0.0.1", 1, "wait")}


def _at_many(engine: Engine) -> dict[str, float]:
    if not _can(engine, PORTS):
        return {}
    with _serving(engine, PORTS, PAUSE), outside.outside(engine) as stranger:
        return {AT_MANY.title: _rate(stranger, outside.HOST, PORTS, "reset")}


ONE = Group("network-connections-1", (AT_ONE, AT_LOOPBACK), _at_one, runs=21, scene=_scene(1))
MANY = Group(f"network-connections-{PORTS}", (AT_MANY,), _at_many, runs=11, scene=_scene(PORTS))
