"""Lists: `docker ps` over many containers, and the API's answer while others start."""

from __future__ import annotations

import http.client
import socket
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from bench.engines.engine import Engine
from bench.rows.crowd import start_many
from bench.rows.group import Group, Row

ZONES = 500
STARTS = 16
PS = Row(f"`docker ps` with {ZONES} running", "ms", reach=1)
LATENCY = Row(f"list latency, p99, while {STARTS} starts run ({ZONES} running)", "ms", at_most=50)


@contextmanager
def _many_running(engine: Engine) -> Iterator[None]:
    start_many(engine, [f"list{number}" for number in range(ZONES)], at_a_time=8)
    yield
    engine.remove_all()


def _measure(engine: Engine) -> dict[str, float]:
    began = perf_counter()
    engine.run("ps")
    figures = {PS.title: (perf_counter() - began) * 1000}
    if engine.endpoint:
        figures[LATENCY.title] = _latency_under_load(engine, engine.endpoint)
    return figures


def _latency_under_load(engine: Engine, endpoint: Path) -> float:
    """In milliseconds: the 99th percentile of lists asked for one after the other while containers start."""
    names = [f"late{number}" for number in range(STARTS)]
    samples: list[float] = []
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(start_many, engine, names, STARTS)
        while not load.done() or len(samples) < 20:
            began = perf_counter()
            _list(endpoint)
            samples.append((perf_counter() - began) * 1000)
        load.result()
    engine.remove(names)
    return statistics.quantiles(samples, n=100, method="inclusive")[-1]


def _list(endpoint: Path) -> None:
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(endpoint))
    connection.request("GET", "/v1.41/containers/json")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"the list was answered with {answer.status}")


GROUP = Group("lists", (PS, LATENCY), _measure, runs=3, scene=_many_running)
