"""Images from and to a registry on loopback: pulled in gzip and zstd, pushed, pushed again with one layer changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from bench.engines.docker import Docker
from bench.engines.engine import Engine
from bench.images import scratch
from bench.layout import layout
from bench.registry import fill, registry
from bench.rows.group import Group, Row

IMAGE = "5 layers, 1 GB"
PULL = Row(f"`docker pull` of {IMAGE}, gzip", "s", reach=1 / 2)
ZSTD = Row(f"`docker pull` of {IMAGE}, zstd", "s")
SHARE = Row("the same, as a share of the time in gzip", "×", at_most=1)
PUSH = Row(f"`docker push` of {IMAGE}", "s", reach=1)
AGAIN = Row("`docker push` again, one layer changed", "s", reach=1)

_source: dict[str, tuple[str, str]] = {}
"""By engine: the names of the image in a registry, in gzip and in zstd."""


@contextmanager
def _filled(engine: Engine) -> Iterator[None]:
    with registry(engine) as address:
        _source[engine.name] = fill(engine, address, layout(), "gzip"), fill(engine, address, layout(), "zstd")
        yield


def _measure(engine: Engine) -> dict[str, float]:
    in_gzip, in_zstd = _source[engine.name]
    figures = {PULL.title: _seconds(engine, "pull", in_gzip)}
    with registry(engine) as address:
        # To a registry that no layer came from: all of it must travel.
        name = f"{address}/five:1"
        engine.run("tag", in_gzip, name)
        figures[PUSH.title] = _seconds(engine, "push", name)
        _change(engine, in_gzip, name)
        figures[AGAIN.title] = _seconds(engine, "push", name)
        engine.remove_images(name, in_gzip)
    # Docker 20.10 knows no zstd.
    if not isinstance(engine, Docker):
        figures[ZSTD.title] = _seconds(engine, "pull", in_zstd)
        figures[SHARE.title] = figures[ZSTD.title] / figures[PULL.title]
        engine.remove_images(in_zstd)
    return figures


def _change(engine: Engine, base: str, name: str) -> None:
    """Give the name to an image with one layer more."""
    file = scratch() / "changed"
    file.write_bytes(os.urandom(1 << 20))
    engine.run("create", "--name", "changed", base)
    engine.run("cp", str(file), "changed:/file")
    engine.run("commit", "changed", name)
    engine.remove(["changed"])


def _seconds(engine: Engine, verb: str, name: str) -> float:
    os.sync()
    began = perf_counter()
    engine.run(verb, *engine.plain_registry, name)
    return perf_counter() - began


GROUP = Group("registry", (PULL, ZSTD, SHARE, PUSH, AGAIN), _measure, runs=3, scene=_filled)
