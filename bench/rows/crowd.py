"""Many containers at once: 40 started 16 at a time, and removed by one command."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from bench.engines.engine import Engine
from bench.rows.group import Group, Row

ZONES = 40
AT_A_TIME = 16
START = Row(f"{ZONES} detached starts, {AT_A_TIME} at a time", "s", reach=1 / 6)
REMOVE = Row(f"`docker rm -f` of {ZONES} running", "s", reach=1 / 6)


def start_many(engine: Engine, names: list[str], at_a_time: int = AT_A_TIME, image: str = "busybox") -> None:
    """Start a sleeping container a name, `at_a_time` at a time; raises where one does not start."""
    with ThreadPoolExecutor(at_a_time) as pool:
        list(pool.map(lambda name: engine.run("run", "-d", "--name", name, image, "sleep", "3600"), names))


def _measure(engine: Engine) -> dict[str, float]:
    names = [f"crowd{number}" for number in range(ZONES)]
    began = perf_counter()
    start_many(engine, names)
    started = perf_counter()
    engine.remove(names)
    return {START.title: started - began, REMOVE.title: perf_counter() - started}


GROUP = Group("crowd", (START, REMOVE), _measure, runs=3)
