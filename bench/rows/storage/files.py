"""File work in a container's root and in a volume, by the machine's fio, git and shell."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from bench.engines.engine import Engine
from bench.engines.zonehost import Zonehost
from bench.images import scratch
from bench.rows.group import Group, Row
from bench.rows.storage.guest import SHARE, running, sh

SMALL = int(SHARE * 100_000)
SYNCED = Row("fio in a volume: 4k random writes, each with fsync", "IOPS", at_least=1)
STREAMED = Row("fio in a volume: sequential write, synced at the end", "MB/s", at_least=1)
MANY = Row(f"{SMALL:,} small files made in a container's root, synced", "s", reach=1)
CLONED = Row("`git clone` of 5,000 files in a container's root", "s", reach=1)
WAY_OUT = Row("the same 4k random writes in a volume with nodatacow=true", "IOPS")

_SYNCED = "--rw=randwrite --bs=4k --size=64m --fsync=1"
_numbers = itertools.count()


@contextmanager
def _guest(engine: Engine) -> Iterator[None]:
    options = ["--volume", f"{_repository()}:/repository:ro"]
    if isinstance(engine, Zonehost):
        engine.run("volume", "create", "-o", "nodatacow=true", "in-place")
        options += ["--volume", "in-place:/in-place"]
    with running(engine, *options):
        yield
    if isinstance(engine, Zonehost):
        engine.run("volume", "rm", "in-place")


def _repository() -> Path:
    """A repository of 5,000 files, made once."""
    folder = scratch() / "repository"
    if not folder.exists():
        for number in range(5000):
            place = folder / str(number % 50)
            place.mkdir(parents=True, exist_ok=True)
            (place / str(number)).write_text(f"{number}\n" * 300)
        git = ["git", "-C", str(folder), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "files"]):
            subprocess.run([*git, *words], check=True, capture_output=True)
    return folder


def _measure(engine: Engine) -> dict[str, float]:
    run = next(_numbers)
    figures = {
        SYNCED.title: _fio(engine, f"/data/synced{run}", _SYNCED, "iops"),
        STREAMED.title: _fio(engine, f"/data/streamed{run}", "--rw=write --bs=1m --size=1g --end_fsync=1", "bw_bytes")
        / 1e6,
    }
    figures[MANY.title] = _seconds(
        engine,
        f"mkdir /many{run}; cd /many{run}; n=0; while [ $n -lt {SMALL} ]; do echo $n > $n; n=$((n + 1)); done; sync",
    )
    figures[CLONED.title] = _seconds(
        engine,
        "export HOME=/tmp GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*';"
        f" git clone --quiet --no-local /repository /clone{run}; sync",
    )
    if isinstance(engine, Zonehost):
        figures[WAY_OUT.title] = _fio(engine, f"/in-place/synced{run}", _SYNCED, "iops")
    sh(engine, f"rm -rf /many{run} /clone{run} /data/*{run} /in-place/*{run}; sync")
    return figures


def _fio(engine: Engine, file: str, words: str, figure: str) -> float:
    script = f"fio --name=bench --filename={file} {words} --runtime=5 --time_based=0 --output-format=json"
    found: float = json.loads(sh(engine, script))["jobs"][0]["write"][figure]
    return found


def _seconds(engine: Engine, script: str) -> float:
    began = perf_counter()
    sh(engine, script)
    return perf_counter() - began


GROUP = Group("storage-files", (SYNCED, STREAMED, MANY, CLONED, WAY_OUT), _measure, runs=3, scene=_guest)
