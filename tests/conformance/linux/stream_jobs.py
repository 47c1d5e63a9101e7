"""Jobs that the tests of `linux.jobs` run."""

from __future__ import annotations

import os
import signal
from typing import Any

from zonehost.errors import Conflict
from zonehost.linux.answering import answering, incoming


@answering
def double(arguments: Any, fds: list[int]) -> Any:
    return arguments * 2


@answering
def refuse(arguments: Any, fds: list[int]) -> None:
    raise Conflict("no, thank you")


@answering
def fail(arguments: Any, fds: list[int]) -> None:
    os.open("/nowhere", os.O_RDONLY)


@answering
def crash(arguments: Any, fds: list[int]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@answering
def count(arguments: Any, fds: list[int]) -> int:
    return sum(map(len, incoming(fds)))


@answering
def stop_reading(arguments: Any, fds: list[int]) -> str:
    return os.read(fds[0], 5).decode()


@answering
def produce(size: Any, fds: list[int]) -> None:
    while size:
        size -= os.write(fds[0], bytes(min(size, 1 << 16)))


@answering
def produce_and_refuse(arguments: Any, fds: list[int]) -> None:
    os.write(fds[0], b"some")
    raise Conflict("no more")
