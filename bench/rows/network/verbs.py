"""Networks made and removed, containers connected and disconnected, by the API: without the time of a client."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from bench.engines.engine import Engine
from bench.rows.group import Group, Row

MADE = Row("a network created and deleted (API)", "ms", reach=1 / 4)
JOINED = Row("a running container connected and disconnected (API)", "ms", reach=1 / 4)


@contextmanager
def _scene(engine: Engine) -> Iterator[None]:
    engine.run("network", "create", "joined")
    engine.run("run", "-d", "--name", "joining", "busybox", "sleep", "3600")
    yield
    engine.remove(["joining"])
    engine.run("network", "rm", "joined")


def _measure(engine: Engine) -> dict[str, float]:
    if not engine.endpoint:
        return {}
    began = perf_counter()
    _call(engine.endpoint, "POST", "/networks/create", {"Name": "made"}, 201)
    _call(engine.endpoint, "DELETE", "/networks/made", None, 204)
    middle = perf_counter()
    _call(engine.endpoint, "POST", "/networks/joined/connect", {"Container": "joining"}, 200)
    _call(engine.endpoint, "POST", "/networks/joined/disconnect", {"Container": "joining"}, 200)
    return {MADE.title: (middle - began) * 1000, JOINED.title: (perf_counter() - middle) * 1000}


def _call(endpoint: Path, method: str, path: str, body: object, status: int) -> None:
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(endpoint))
    text = None if body is None else json.dumps(body)
    connection.request(method, f"/v1.41{path}", text, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    if answer.status != status:
        raise RuntimeError(f"{method} {path}: {answer.status} {said.decode()}")


GROUP = Group("network-verbs", (MADE, JOINED), _measure, runs=15, scene=_scene)
