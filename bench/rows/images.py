"""Images of 2 GB: import, save and load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from bench.engines.engine import Engine
from bench.images import large_tree
from bench.rows.group import Group, Row

IMPORT = Row("`docker import` of 2 GB", "s", reach=1 / 2)
SAVE = Row("`docker save` of 2 GB", "s", reach=1 / 2)
LOAD = Row("`docker load` of 2 GB", "s", reach=1 / 2)


@contextmanager
def _tree(engine: Engine) -> Iterator[None]:
    large_tree()
    yield


def _measure(engine: Engine) -> dict[str, float]:
    tree = large_tree()
    saved = tree.with_name(f"saved-{engine.name}.tar")
    os.sync()
    began = perf_counter()
    engine.run("import", str(tree), "large:1")
    imported = perf_counter()
    engine.run("save", "-o", str(saved), "large:1")
    packed = perf_counter()
    engine.run("rmi", "large:1")
    os.sync()
    emptied = perf_counter()
    engine.run("load", "-i", str(saved))
    loaded = perf_counter()
    engine.run("rmi", "large:1")
    saved.unlink()
    return {IMPORT.title: imported - began, SAVE.title: packed - imported, LOAD.title: loaded - emptied}


GROUP = Group("images", (IMPORT, SAVE, LOAD), _measure, runs=2, scene=_tree)
