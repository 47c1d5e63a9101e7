"""Snapshot, clone and rollback of a large and a small dataset: the daemon's processor time, and until it is on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter

from bench.engines.engine import Engine
from bench.engines.zonehost import Zonehost
from bench.rows.group import Group, Row
from bench.rows.storage.guest import FILES, GB, fill_script, running, sh

SIZES = {"small": "10 MB in 100 files", "large": f"{GB:g} GB in {FILES:,} files"}
VERBS = ("snapshot", "clone", "rollback")
SPENT = {
    (verb, size): Row(f"{verb} of {text}: daemon's processor time", "ms", at_most=20)
    for verb in VERBS
    for size, text in SIZES.items()
}
TAKEN = {
    (verb, size): Row(f"{verb} of {text}: until it is on the disk", "ms")
    for verb, size in SPENT
    for text in [SIZES[size]]
}


@contextmanager
def _filled(engine: Engine) -> Iterator[None]:
    if not isinstance(engine, Zonehost):
        yield
        return
    with ExitStack() as stack:
        for size, (gigabytes, files) in {"small": (0.01, 100), "large": (GB, FILES)}.items():
            stack.enter_context(running(engine, name=size))
            sh(engine, fill_script(gigabytes, files), size)
            engine.run("kill", size)
        yield


def _measure(engine: Engine) -> dict[str, float]:
    if not isinstance(engine, Zonehost):
        return {}
    figures = {}
    for size in SIZES:
        for verb, words in (
            ("snapshot", ("snapshot", "create", f"{size}-data@bench")),
            ("clone", ("volume", "create", "-o", f"from={size}-data@bench", "clone")),
            ("rollback", ("snapshot", "rollback", f"{size}-data@bench")),
        ):
            os.sync()
            spent, began = engine.processor_time(), perf_counter()
            if verb == "clone":
                engine.run(*words)
            else:
                engine.zonehost(*words)
            figures[TAKEN[verb, size].title] = (perf_counter() - began) * 1000
            figures[SPENT[verb, size].title] = (engine.processor_time() - spent) * 1000
        engine.run("volume", "rm", "clone")
        engine.zonehost("snapshot", "rm", f"{size}-data@bench")
    return figures


GROUP = Group("storage-datasets", (*SPENT.values(), *TAKEN.values()), _measure, runs=5, scene=_filled)
