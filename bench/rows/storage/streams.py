"""Send and receive: all of a dataset against `cp`, and a change against Docker's way of moving one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from bench.engines.engine import Engine
from bench.engines.zonehost import Zonehost
from bench.images import MEGABYTE, scratch
from bench.rows.group import Group, Row
from bench.rows.storage.guest import FILES, GB, NAME, PIECE, PROGRAMS, SHARE, VOLUME, fill_script, running, sh

MEGABYTES = int(SHARE * 1000)
CHANGED = min(PIECE, int(GB * 500_000_000)) // MEGABYTE
CP = Row(f"`cp` of one file of {MEGABYTES} MB on the pool, nothing cached, synced", "s")
SENT = Row(f"send and receive of one file of {MEGABYTES} MB, nothing cached, synced", "s")
RATE = Row("send and receive: rate, of that of `cp`", "%", floor=70)
MOVED = Row(
    f"{CHANGED} changed MB in {GB:g} GB to another place: incremental send, or commit + save + load", "s", reach=1 / 5
)
BYTES = Row(f"incremental send of {CHANGED} changed MB: size of the stream", "MB", at_most=CHANGED * 1.05)


@contextmanager
def _one_file(engine: Engine) -> Iterator[None]:
    if not isinstance(engine, Zonehost):
        yield
        return
    with running(engine):
        sh(engine, f"dd if=/dev/urandom of=/data/file bs=1MB count={MEGABYTES}; sync")
        engine.zonehost("snapshot", "create", f"{VOLUME}@bench")
        yield


def _whole(engine: Engine) -> dict[str, float]:
    if not isinstance(engine, Zonehost):
        return {}
    _forget_files()
    began = perf_counter()
    sh(engine, "cp --reflink=never /data/file /data/copy; sync")
    copied = perf_counter() - began
    sh(engine, "rm /data/copy; sync")
    _forget_files()
    began = perf_counter()
    engine.zonehost("ship", f"{VOLUME}@bench", f"unix://{engine.endpoint}", "--name", "received")
    os.sync()
    sent = perf_counter() - began
    engine.run("volume", "rm", "received")
    os.sync()
    return {CP.title: copied, SENT.title: sent, RATE.title: copied / sent * 100}


def _forget_files() -> None:
    """Drop the page cache (proc(5)): the kernel keeps what `cp` reads, and never what it sends."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("1\n")


@contextmanager
def _base(engine: Engine) -> Iterator[None]:
    """The same data in a volume of zonehost's, which there is a received copy of, or in a container of Docker's."""
    if isinstance(engine, Zonehost):
        with running(engine):
            sh(engine, fill_script(GB, FILES))
            engine.zonehost("snapshot", "create", f"{VOLUME}@base")
            engine.zonehost("ship", f"{VOLUME}@base", f"unix://{engine.endpoint}", "--name", "received")
            yield
            engine.run("volume", "rm", "received")
    elif engine.name == "Docker":
        engine.run("run", "--detach", "--name", NAME, *PROGRAMS, "busybox", "sleep", "86400")
        sh(engine, fill_script(GB, FILES))
        engine.run("commit", NAME, "base")
        engine.remove([NAME])
        engine.run("run", "--detach", "--name", NAME, "base", "sleep", "86400")
        yield
        engine.remove([NAME])
        engine.run("rmi", "--force", "base")
    else:
        yield


def _change(engine: Engine) -> dict[str, float]:
    change = f"dd if=/dev/urandom of=/data/large0 bs=1MB count={CHANGED} conv=notrunc; sync"
    if isinstance(engine, Zonehost):
        sh(engine, change)
        os.sync()
        began = perf_counter()
        engine.zonehost("snapshot", "create", f"{VOLUME}@change")
        engine.zonehost("ship", f"{VOLUME}@change", f"unix://{engine.endpoint}", "--from", "base", "--name", "received")
        moved = perf_counter() - began
        stream = scratch() / "stream"
        engine.zonehost("send", f"{VOLUME}@change", "--from", "base", output=stream)
        size = stream.stat().st_size
        stream.unlink()
        for name in (VOLUME, "received"):
            engine.zonehost("snapshot", "rm", f"{name}@change")
        return {MOVED.title: moved, BYTES.title: size / 1e6}
    if engine.name != "Docker":
        return {}
    sh(engine, change)
    saved = scratch() / "change.tar"
    os.sync()
    began = perf_counter()
    engine.run("commit", NAME, "change")
    engine.run("save", "-o", str(saved), "change")
    saving = perf_counter() - began
    engine.run("rmi", "change")
    began = perf_counter()
    engine.run("load", "-i", str(saved))
    loading = perf_counter() - began
    saved.unlink()
    engine.run("rmi", "change")
    return {MOVED.title: saving + loading}


WHOLE = Group("storage-whole", (CP, SENT, RATE), _whole, runs=5, scene=_one_file)
CHANGE = Group("storage-change", (MOVED, BYTES), _change, runs=1, scene=_base)
