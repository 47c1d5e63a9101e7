"""PostgreSQL in a volume: pgbench, and the start of a clone of the running server against that of the original."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, sleep

from bench.engines.engine import Engine
from bench.engines.zonehost import Zonehost
from bench.rows.group import Group, Row
from bench.rows.storage.guest import GB, NAME, VOLUME, running, sh

SCALE = max(1, int(GB * 65))
"""pgbench's unit: 65 of them are about a GB."""
TPS = Row(f"pgbench, {SCALE // 65 or 1} GB of data in a volume, 4 clients for 10 s", "tps", at_least=1)
ORIGINAL = Row(f"start of PostgreSQL with {GB:g} GB to its first answer: the original, after a crash", "s")
CLONE = Row(f"start of PostgreSQL with {GB:g} GB to its first answer: a clone of the running one", "s")
RATIO = Row("start of the clone, of that of the original", "%", at_most=120)

_MAKE = "mkdir /data/db; chown postgres /data/db"
_START = "pg_ctl -D /data/db -o '-c unix_socket_directories=/tmp -c listen_addresses=' -l /tmp/log -w start"
_ASK = "psql -h /tmp -U postgres -tAc 'select count(*) from pgbench_branches' postgres"


@contextmanager
def _server(engine: Engine) -> Iterator[None]:
    with running(engine, "--tmpfs", "/tmp:mode=1777,exec"):
        sh(engine, _MAKE)
        sh(engine, f"initdb -D /data/db -U postgres -A trust >/dev/null; {_START}", user="postgres")
        sh(engine, f"pgbench -h /tmp -U postgres -i -q -s {SCALE} postgres", user="postgres")
        yield


def _measure(engine: Engine) -> dict[str, float]:
    told = sh(engine, "pgbench -h /tmp -U postgres -c 4 -T 10 postgres", user="postgres")
    found = re.search(r"tps = ([0-9.]+)", told)
    assert found is not None, told
    figures = {TPS.title: float(found[1])}
    if isinstance(engine, Zonehost):
        engine.zonehost("clone", NAME, "copy")
        engine.run("kill", NAME)
        original, clone = _started(engine, NAME), _started(engine, "copy")
        engine.run("rm", "--force", "copy")
        engine.run("volume", "rm", f"copy-{VOLUME}")
        figures |= {ORIGINAL.title: original, CLONE.title: clone, RATIO.title: clone / original * 100}
    return figures


def _started(engine: Engine, name: str) -> float:
    began = perf_counter()
    engine.run("start", name)
    sh(engine, f"rm -f /data/db/postmaster.pid; {_START} >/dev/null", name, "postgres")
    while sh(engine, f"{_ASK} || true", name, "postgres") == "":
        sleep(0.05)
    return perf_counter() - began


GROUP = Group("storage-database", (TPS, ORIGINAL, CLONE, RATIO), _measure, runs=2, scene=_server)
