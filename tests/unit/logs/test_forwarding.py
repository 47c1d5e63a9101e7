"""Lines of a log file reach a receiver once, also when the daemon is another one."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from zonehost.domain.syslog import syslog_target
from zonehost.drivers.logs.files import LogFiles
from zonehost.errors import Unavailable


def line(number: int) -> str:
    return f"2026-11-23T15:00:{number:02d}.000000000+00:00 stdout F line {number}\n"


async def received(receiver: socket.socket, count: int) -> list[bytes]:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        return [(await loop.sock_recv(receiver, 4096)).rpartition(b": ")[2] for _ in range(count)]


async def test_a_second_daemon_goes_on_where_the_first_one_left_off(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_text(line(1))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "log"))
        receiver.setblocking(False)
        target = syslog_target({"syslog-address": f"unixgram://{tmp_path}/log"}, {"ID": "x"}, "box")
        first = LogFiles()
        await first.forward("zone", str(log), target, 1)
        assert await received(receiver, 1) == [b"line 1"]
        await first.close()
        with log.open("a") as more:
            more.write(line(2))
        second = LogFiles()
        await second.forward("zone", str(log), target, 1)
        with log.open("a") as more:
            more.write(line(3))
        await second.forget("zone")
        assert await received(receiver, 2) == [b"line 2", b"line 3"]
        with pytest.raises(BlockingIOError):
            receiver.recv(1)
        await second.close()


async def test_a_receiver_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    target = syslog_target({"syslog-address": f"unix://{tmp_path}/none"}, {"ID": "x"}, "box")
    logs = LogFiles()
    with pytest.raises(Unavailable, match="failed to initialize logging driver"):
        await logs.forward("zone", str(tmp_path / "output.log"), target, 1)
    await logs.close()
