"""One container at a time: a whole run, and an exec in a running one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from bench.engines.engine import Engine
from bench.rows.group import Group, Row

RUN = Row("`docker run --rm busybox true`", "ms", reach=1 / 5)
EXEC = Row("`docker exec` of `true`", "ms", reach=1 / 3)


@contextmanager
def _one_running(engine: Engine) -> Iterator[None]:
    engine.run("run", "-d", "--name", "single", "busybox", "sleep", "3600")
    engine.run("run", "--rm", "busybox", "true")
    yield
    engine.remove(["single"])


def _measure(engine: Engine) -> dict[str, float]:
    began = perf_counter()
    engine.run("run", "--rm", "busybox", "true")
    ran = perf_counter()
    engine.run("exec", "single", "true")
    return {RUN.title: (ran - began) * 1000, EXEC.title: (perf_counter() - ran) * 1000}


GROUP = Group("single", (RUN, EXEC), _measure, runs=15, scene=_one_running)
