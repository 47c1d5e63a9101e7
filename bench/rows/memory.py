"""Memory: of an engine that rests after work, and what each container adds outside itself (proportional set size)."""

from __future__ import annotations

from bench.engines.engine import Engine
from bench.engines.podman import Podman
from bench.rows.crowd import start_many
from bench.rows.group import Group, Row

ZONES = 20
IDLE = Row(f"engine's memory, idle after {ZONES} containers came and went (PSS, all processes)", "MiB", reach=1 / 2)
ZONE = Row("memory a running container adds outside itself (PSS)", "MiB", at_most=0.6)
MIB = 1 << 20


def _measure(engine: Engine) -> dict[str, float]:
    names = [f"memory{number}" for number in range(ZONES)]
    start_many(engine, names, at_a_time=4)
    engine.remove_all()
    idle = engine.overhead()
    start_many(engine, names, at_a_time=4)
    busy = engine.overhead()
    engine.remove_all()
    added = {ZONE.title: (busy - idle) / ZONES / MIB}
    return added if isinstance(engine, Podman) else {IDLE.title: idle / MIB, **added}


GROUP = Group("memory", (IDLE, ZONE), _measure, runs=1)
