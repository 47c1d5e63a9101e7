"""Bytes a second by TCP (iperf3): between containers, and to a published port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import outside
from bench.engines.engine import Engine
from bench.engines.isolation import CONGESTION
from bench.rows.group import Group, Row

PORT = 5201
PUBLISHED = 15201
SECONDS = 1
STREAMS = 8
GIGABIT = 1e9

ONE = Row("TCP, container to container, 1 stream", "Gbit/s", at_least=1)
EIGHT = Row(f"TCP, container to container, {STREAMS} streams", "Gbit/s", at_least=1)
OUTSIDE = Row("TCP, outside to a published port", "Gbit/s", at_least=1)
LOOPBACK = Row("TCP, host to a published port on 127.0.0.1", "Gbit/s", at_least=3)


@contextmanager
def _scene(engine: Engine) -> Iterator[None]:
    with ExitStack() as stack:
        stack.callback(engine.remove_all)
        engine.run("run", "-d", "--name", "server", "-p", f"{PUBLISHED}:{PORT}", "busybox", "sleep", "3600")
        engine.run("run", "-d", "--name", "client", "busybox", "sleep", "3600")
        yield


def _measure(engine: Engine) -> dict[str, float]:
    server = outside.inside(engine, "server")
    client = outside.inside(engine, "client")
    address = outside.address(engine, "server")
    words = ("iperf3", "--server", "--forceflush", "--port", str(PORT))
    with outside.serving(server, *words, ready="Server listening"), outside.outside(engine) as stranger:
        return {
            ONE.title: _rate(client, address, PORT, 1),
            EIGHT.title: _rate(client, address, PORT, STREAMS),
            OUTSIDE.title: _rate(stranger, outside.HOST, PUBLISHED, 1),
            LOOPBACK.title: _rate(engine.netns, "127.0.0.1", PUBLISHED, 1),
        }


def _rate(netns: Path, address: str, port: int, streams: int) -> float:
    """What arrived, in Gbit/s."""
    words = ("--client", address, "--port", str(port), "--time", str(SECONDS), "--parallel", str(streams))
    told = json.loads(outside.run(netns, "iperf3", *words, "--congestion", CONGESTION, "--json", core=outside.ASKING))
    return float(told["end"]["sum_received"]["bits_per_second"]) / GIGABIT


GROUP = Group("network-throughput", (ONE, EIGHT, OUTSIDE, LOOPBACK), _measure, runs=9, scene=_scene)
