"""The page cache of many containers of one image that read the same file."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.engines.engine import Engine
from bench.engines.podman import Podman
from bench.images import scratch
from bench.rows.crowd import start_many
from bench.rows.group import Group, Row

ZONES = 50
MEGABYTES = 200
CACHED = Row(
    f"page cache of {ZONES} containers of one image that read the same {MEGABYTES} MB", "MB", at_most=MEGABYTES * 1.5
)


def _measure(engine: Engine) -> dict[str, float]:
    if isinstance(engine, Podman):
        return {}
    folder = scratch() / "shared"
    if not folder.exists():
        folder.mkdir()
        words = ["dd", "if=/dev/urandom", f"of={folder}/data", "bs=1MB", f"count={MEGABYTES}"]
        subprocess.run(words, check=True, capture_output=True)
        (folder / "Dockerfile").write_text("FROM busybox\nCOPY data /data\n")
    engine.run("build", "--quiet", "--tag", "shared", str(folder))
    names = [f"cache{number}" for number in range(ZONES)]
    start_many(engine, names, at_a_time=4, image="shared")
    engine.run("exec", names[0], "cat", "/data", stdout=subprocess.DEVNULL)
    before = _cached()
    for name in names[1:]:
        engine.run("exec", name, "cat", "/data", stdout=subprocess.DEVNULL)
    grown = _cached() - before
    engine.remove(names)
    engine.run("rmi", "--force", "shared")
    return {CACHED.title: MEGABYTES + max(0.0, grown / 1e6)}


def _cached() -> int:
    """Bytes in the machine's page cache (proc_meminfo(5))."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("Cached:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no Cached in /proc/meminfo")


GROUP = Group("storage-cache", (CACHED,), _measure, runs=1)
