"""PostgreSQL in a volume: pgbench, and the start of a clone of the running server against that of the original."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep

from bench.engines.engine import Engine
from bench.engines.zonehost import Zonehost
from bench.rows.group import Group, Row
from bench.rows.storage.guest import NAME, SHARE, VOLUME, running, sh

GB = 2 * SHARE
SCALE = max(1, int(GB * 65))
"""pgbench's unit: 65 of them are about a GB."""
TPS = Row(f"pgbench, {GB:g} GB of data in a volume, 4 clients for 10 s", "tps", at_least=1)
_START_ROW = f"start of PostgreSQL with {GB:g} GB to its first answer, nothing cached"
ORIGINAL = Row(f"{_START_ROW}: the original, after a crash", "s")
CLONE = Row(f"{_START_ROW}: a clone of the running one", "s")
RATIO = Row("start of the clone, of that of the original", "%", at_most=120)

# Docker gives a tmpfs the mode of the image's folder, whatever was asked for.
_MAKE = "chmod 1777 /tmp; mkdir /data/db; chown postgres /data/db"
_START = "pg_ctl -D /data/db -o '-c unix_socket_directories=/tmp -c listen_addresses=' -l /tmp/log -w start"
_ASK = "psql -h /tmp -U postgres -tAc 'select count(*) from pgbench_branches' postgres"


@contextmanager
def _server(engine: Engine) -> Iterator[None]:
    with running(engine, "--tmpfs", "/tmp:mode=1777,exec"):
        sh(engine, _MAKE)
        sh(engine, f"initdb -D /data/db -U postgres -A trust >/dev/null; {_START}", user=_user())
        sh(engine, f"pgbench -h /tmp -U postgres -i -q -s {SCALE} postgres", user=_user())
        yield


def _user() -> str:
    """By number: Docker looks for names in the image, and not in the /etc/passwd that is bound over it."""
    entry = pwd.getpwnam("postgres")
    return f"{entry.pw_uid}:{entry.pw_gid}"


def _measure(engine: Engine) -> dict[str, float]:
    told = sh(engine, "pgbench -h /tmp -U postgres -c 4 -T 10 postgres", user=_user())
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
    # The original's files are cached from its last run, and a clone's are other files to the kernel.
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("1\n")
    began = perf_counter()
    engine.run("start", name)
    sh(engine, f"rm -f /data/db/postmaster.pid; {_START} >/dev/null", name, _user())
    while sh(engine, f"{_ASK} || true", name, _user()) == "":
        sleep(0.05)
    return perf_counter() - began


GROUP = Group("storage-database", (TPS, ORIGINAL, CLONE, RATIO), _measure, runs=2, scene=_server)
