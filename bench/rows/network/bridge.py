"""One bridge that fills: whether the last twenty containers of two hundred start as fast as the first."""

from __future__ import annotations

from time import perf_counter

from bench.engines.engine import Engine
from bench.rows.crowd import AT_A_TIME, start_many
from bench.rows.group import Group, Row

ZONES = 200
GROUP_SIZE = 20
SLOWDOWN = Row(
    f"{ZONES} on one bridge, {AT_A_TIME} at a time: starts a second of the last {GROUP_SIZE}, of the first's",
    "×",
    floor=0.8,
)


def _measure(engine: Engine) -> dict[str, float]:
    names = [f"bridged{number}" for number in range(ZONES)]
    first = _seconds(engine, names[:GROUP_SIZE])
    start_many(engine, names[GROUP_SIZE:-GROUP_SIZE])
    last = _seconds(engine, names[-GROUP_SIZE:])
    engine.remove_all()
    return {SLOWDOWN.title: first / last}


def _seconds(engine: Engine, names: list[str]) -> float:
    began = perf_counter()
    start_many(engine, names)
    return perf_counter() - began


GROUP = Group("network-bridge", (SLOWDOWN,), _measure, runs=3)
