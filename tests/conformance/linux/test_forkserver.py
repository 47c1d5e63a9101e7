"""The fork server: children, their ends, and what becomes of them when someone is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from zonehost.linux import pidfd
from zonehost.linux.forkserver import ForkServer


@pytest.mark.parametrize("code", [0, 1, 42, 255])
async def test_a_child_ends_with_its_jobs_result(server: ForkServer, code: int) -> None:
    child = await server.fork("forkserver_jobs:end_with", code)
    assert await child.exited == code


async def test_a_child_that_a_signal_ended_has_128_and_the_signal(server: ForkServer) -> None:
    child = await server.fork("forkserver_jobs:end_by", int(signal.SIGTERM))
    assert await child.exited == 128 + signal.SIGTERM


async def test_an_exception_is_an_exit_status_and_a_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    server = ForkServer()
    server.start()  # here, so that its standard error is the captured one
    child = await server.fork("zonehost.linux.forkloop:no_such_function", None)
    assert await child.exited == 70
    await server.close()
    assert "AttributeError" in capfd.readouterr().err


async def test_a_job_has_its_arguments_and_descriptors(server: ForkServer) -> None:
    text = "x" * 300_000  # more than one message holds
    read, write = os.pipe()
    child = await server.fork("forkserver_jobs:echo", text, [write])
    os.close(write)
    with os.fdopen(read) as file:
        assert await asyncio.to_thread(file.read) == text
    assert await child.exited == 0


async def test_many_children_at_once(server: ForkServer) -> None:
    children = await asyncio.gather(*(server.fork("forkserver_jobs:end_with", n) for n in range(100)))
    assert [await child.exited for child in children] == list(range(100))


async def test_a_child_can_be_killed(server: ForkServer) -> None:
    child = await server.fork("forkserver_jobs:stay", None)
    child.kill()
    assert await child.exited == 128 + signal.SIGKILL


async def test_jobs_outlive_a_killed_server_and_a_new_one_serves(server: ForkServer) -> None:
    read, write = os.pipe()
    child = await server.fork("forkserver_jobs:wait_and_end_with", 7, [read])
    killed = server.pid
    os.kill(killed, signal.SIGKILL)
    another = None
    while another is None:
        try:
            another = await server.fork("forkserver_jobs:end_with", 3)
        except Exception as error:  # noqa: BLE001 - the request may have met the dying server
            assert str(error) == "the launcher died"
    assert await another.exited == 3
    assert server.pid != killed
    os.write(write, b"x")
    assert await child.exited == 7
    os.close(read)
    os.close(write)


async def test_closing_ends_the_jobs_but_for_those_that_left(server: ForkServer) -> None:
    read, write = os.pipe()
    gone = await server.fork("forkserver_jobs:leave", None, [write])
    stays = await server.fork("forkserver_jobs:stay", None)
    assert await asyncio.to_thread(os.read, read, 9) == b"left"
    await server.close()
    assert await stays.exited == 128 + signal.SIGKILL
    assert pidfd.send(gone.pidfd, signal.SIGKILL)
    assert await gone.exited == 128 + signal.SIGKILL
    os.close(read)
    os.close(write)


async def test_closing_does_not_wait_for_a_server_that_stands_still(server: ForkServer) -> None:
    stays = await server.fork("forkserver_jobs:stay", None)
    os.kill(server.pid, signal.SIGSTOP)
    await asyncio.wait_for(server.close(), 30)
    assert await stays.exited == 128 + signal.SIGKILL


async def test_a_child_can_be_born_in_a_cgroup(server: ForkServer) -> None:
    unified = next(
        line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[2] == "cgroup2"
    )
    group = Path(unified, f"zonehost-test-{os.getpid()}")
    group.mkdir()
    directory = os.open(group, os.O_PATH)
    read, write = os.pipe()
    try:
        child = await server.fork("forkserver_jobs:own_group", None, [write], cgroup=directory)
        assert await child.exited == 0
        assert os.read(read, 4096).decode() == f"/{group.name}"
    finally:
        group.rmdir()
        for fd in (directory, read, write):
            os.close(fd)


async def test_a_job_costs_less_than_an_interpreter(server: ForkServer) -> None:
    async def job() -> None:
        child = await server.fork("forkserver_jobs:end_with", 0)
        assert await child.exited == 0

    async def interpreter() -> None:
        started = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", "-c", "import json, ctypes, socket")
        assert await started.wait() == 0

    await job()  # the server is warm now
    assert await _best(job) * 2 < await _best(interpreter)


async def _best(work: Callable[[], Awaitable[None]]) -> float:
    best = float("inf")
    for _ in range(10):
        began = time.perf_counter()
        await work()
        best = min(best, time.perf_counter() - began)
    return best
