"""Bytes through a container: standard input to standard output."""

from __future__ import annotations

import subprocess
from time import perf_counter

from bench.engines.engine import Engine
from bench.images import random_bytes
from bench.rows.group import Group, Row

THROUGH = Row("500 MB of random bytes through `docker run -i busybox cat`", "s", reach=1 / 3)


def _measure(engine: Engine) -> dict[str, float]:
    with random_bytes().open("rb") as data:
        began = perf_counter()
        engine.run("run", "--rm", "-i", "busybox", "cat", stdin=data, stdout=subprocess.DEVNULL)
        return {THROUGH.title: perf_counter() - began}


GROUP = Group("stream", (THROUGH,), _measure, runs=3)
