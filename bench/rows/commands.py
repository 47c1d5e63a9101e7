"""The other commands of a day, on one container and its files. Of most of the quick ones the client takes the most."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from bench.engines.engine import Engine
from bench.images import random_bytes, scratch
from bench.rows.group import Group, Row

_LINES = 500_000
_NAME = "commands"
_NO_SLOWER = 1.1


def _quick(command: str) -> Row:
    return Row(f"`docker {command}`", "ms", reach=_NO_SLOWER)


def _long(command: str, of: str) -> Row:
    return Row(f"`docker {command}` of {of}", "s", reach=_NO_SLOWER)


CREATE, START, INSPECT, TOP = _quick("create"), _quick("start"), _quick("inspect"), _quick("top")
STATS, PAUSE, UPDATE = _quick("stats --no-stream"), _quick("pause, unpause"), _quick("update --memory")
RESTART, STOP, REMOVE = _quick("restart -t 0"), _quick("stop -t 0"), _quick("rm")
IMAGES, VOLUME = _quick("images"), _quick("volume create, rm")
LOGS = _long("logs", f"{_LINES} lines")
COPY_IN, COPY_OUT = _long("cp", "500 MB, into a container"), _long("cp", "500 MB, out of it")
DIFF, COMMIT, EXPORT = _quick("diff"), _long("commit", "500 MB"), _long("export", "500 MB")
ROWS = (
    *(CREATE, START, INSPECT, TOP, STATS, PAUSE, UPDATE, RESTART, STOP, REMOVE, IMAGES, VOLUME),
    *(LOGS, COPY_IN, COPY_OUT, DIFF, COMMIT, EXPORT),
)


@contextmanager
def _scene(engine: Engine) -> Iterator[None]:
    random_bytes()
    engine.run("run", "-d", "--name", "talkative", "busybox", "seq", str(_LINES))
    engine.run("wait", "talkative")
    yield
    engine.remove(["talkative"])


def _measure(engine: Engine) -> dict[str, float]:
    taken: dict[str, float] = {}

    def timed(row: Row, *commands: str, stdout: int = subprocess.PIPE) -> None:
        began = perf_counter()
        for command in commands:
            engine.run(*command.split(), stdout=stdout)
        taken[row.title] = (perf_counter() - began) * (1000 if row.unit == "ms" else 1)

    content, copied = random_bytes(), scratch() / f"copied-{engine.name}"
    timed(CREATE, f"create --name {_NAME} --stop-signal KILL busybox sleep 3600")
    timed(START, f"start {_NAME}")
    timed(INSPECT, f"inspect {_NAME}")
    timed(TOP, f"top {_NAME}")
    timed(STATS, f"stats --no-stream {_NAME}")
    timed(PAUSE, f"pause {_NAME}", f"unpause {_NAME}")
    timed(UPDATE, f"update --memory 256m --memory-swap 256m {_NAME}")
    timed(COPY_IN, f"cp {content} {_NAME}:/content")
    timed(COPY_OUT, f"cp {_NAME}:/content {copied}")
    copied.unlink()
    timed(DIFF, f"diff {_NAME}")
    timed(COMMIT, f"commit {_NAME} committed:1")
    timed(EXPORT, f"export {_NAME}", stdout=subprocess.DEVNULL)
    timed(IMAGES, "images")
    timed(LOGS, "logs talkative", stdout=subprocess.DEVNULL)
    timed(RESTART, f"restart -t 0 {_NAME}")
    timed(STOP, f"stop -t 0 {_NAME}")
    timed(REMOVE, f"rm -v {_NAME}")
    timed(VOLUME, "volume create data", "volume rm data")
    engine.remove_images("committed:1")
    return taken


GROUP = Group("commands", ROWS, _measure, runs=5, scene=_scene)
