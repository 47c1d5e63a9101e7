"""Names that containers ask for: answers a second, and the slowest of a hundred."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import outside
from bench.engines.engine import Engine
from bench.rows.group import Group, Row

AT_A_TIME = 16
SECONDS = 3

RATE = Row(f"DNS answers a second to one container, {AT_A_TIME} questions at a time", "1/s", at_least=2)
SLOWEST = Row(f"DNS, time to an answer, p99, {AT_A_TIME} questions at a time", "ms", at_most=2)


@contextmanager
def _scene(engine: Engine) -> Iterator[None]:
    engine.run("network", "create", "naming")
    for name in ("asking", "known"):
        engine.run("run", "-d", "--name", name, "--network", "naming", "busybox", "sleep", "3600")
    yield
    engine.remove(["asking", "known"])
    engine.run("network", "rm", "naming")


def _measure(engine: Engine) -> dict[str, float]:
    lines = engine.run("exec", "asking", "cat", "/etc/resolv.conf").splitlines()
    server = next(line.split()[1] for line in lines if line.startswith("nameserver"))
    if f"nameserver {server}" in Path("/etc/resolv.conf").read_text().splitlines():
        return {}  # the host's: this engine knows no names of its own
    netns = outside.inside(engine, "asking")
    rate, slowest = outside.measure(netns, "asking", server, "known", str(AT_A_TIME), str(SECONDS))
    return {RATE.title: rate, SLOWEST.title: slowest}


GROUP = Group("network-names", (RATE, SLOWEST), _measure, runs=5, scene=_scene)
