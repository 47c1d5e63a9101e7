"""A hundred private volumes from one image of a database."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from bench.engines.engine import Engine
from bench.engines.zonehost import Zonehost
from bench.images import scratch
from bench.rows.group import Group, Row
from bench.rows.storage.guest import SHARE

VOLUMES = 100
AT_A_TIME = 8
MEGABYTES = int(SHARE * 1000)
_WORK = f"{VOLUMES} volumes from one image of a {MEGABYTES} MB database"
MADE = Row(f"{_WORK}, {AT_A_TIME} at a time", "s", at_most=2)
USED = Row(f"{_WORK}: disk used, the image's too", "GB", at_most=MEGABYTES * 1.1e-3)


def _make(engine: Zonehost, name: str) -> None:
    engine.call("POST", "/volumes/create", {"Name": name, "DriverOpts": {"from-image": "database:/data"}})


def _measure(engine: Engine) -> dict[str, float]:
    if not isinstance(engine, Zonehost):
        return {}
    folder = scratch() / "database"
    if not folder.exists():
        (folder / "data").mkdir(parents=True)
        for number in range(max(1, MEGABYTES // 10)):
            words = ["dd", "if=/dev/urandom", f"of={folder}/data/{number}", "bs=1MB", "count=10"]
            subprocess.run(words, check=True, capture_output=True)
        (folder / "Dockerfile").write_text("FROM busybox\nCOPY data /data\n")
    before = engine.pool_used()
    engine.run("build", "--quiet", "--tag", "database", str(folder))
    names = [f"test{number}" for number in range(VOLUMES)]
    began = perf_counter()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(lambda name: _make(engine, name), names))
    taken = perf_counter() - began
    used = engine.pool_used() - before
    engine.run("volume", "rm", *names)
    engine.run("rmi", "--force", "database")
    return {MADE.title: taken, USED.title: used / 1e9}


GROUP = Group("storage-volumes", (MADE, USED), _measure, runs=1)  # a second build would find the image in the cache
