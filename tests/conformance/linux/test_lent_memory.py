"""Jobs that end as a program: they are the same in a forked process, and in one that is lent the server's memory."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zonehost.errors import SystemFailure, Unavailable
from zonehost.linux.forkserver import Child, ForkServer

PLACE = "grep ^0: /proc/self/cgroup; pwd; nice; echo $WORD; ls /proc/self/fd"


@pytest.fixture
async def group() -> AsyncIterator[Path]:
    mounts = Path("/proc/mounts").read_text().splitlines()
    unified = next(line.split()[1] for line in mounts if line.split()[2] == "cgroup2")
    made = Path(unified, f"zonehost-test-{os.getpid()}-lent")
    made.mkdir()
    yield made
    if made.is_dir():
        made.rmdir()


def ask(
    server: ForkServer, group: Path, job: str, script: str = "", *fds: int, lent: bool = True
) -> asyncio.Future[Child]:
    directory = os.open(group, os.O_PATH)
    try:
        return server.ask(f"forkserver_jobs:{job}", script, fds, cgroup=directory, lent=lent)
    finally:
        os.close(directory)


async def test_this_machine_lends(server: ForkServer) -> None:
    child = await server.fork("forkserver_jobs:lends", None)
    assert await child.exited == (os.uname().machine == "x86_64")


@pytest.mark.parametrize("lent", [False, True])
async def test_a_job_ends_as_its_program(server: ForkServer, group: Path, lent: bool) -> None:
    for _ in range(3):
        with _pipe() as (read, write):
            child = await ask(server, group, "end_as", PLACE, write, lent=lent)
            assert await child.exited == 0
            said = os.read(read, 4096).decode().split("\n")
        nicer = os.getpriority(os.PRIO_PROCESS, server.pid) + 1
        assert said == [f"0::/{group.name}", "/proc", f"{nicer}", "told", "0", "1", "2", "3", ""]


@pytest.mark.parametrize("lent", [False, True])
async def test_the_child_is_the_programs_process(server: ForkServer, group: Path, lent: bool) -> None:
    with _pipe() as (read, write):
        child = await ask(server, group, "end_as", "echo $$; exec sleep 600", write, lent=lent)
        assert int(await asyncio.to_thread(os.read, read, 9)) == child.pid
        child.kill(signal.SIGTERM)
        assert await child.exited == 128 + signal.SIGTERM


@pytest.mark.parametrize("lent", [False, True])
@pytest.mark.parametrize(("job", "code"), [("end_with", 42), ("fail", 70)])
async def test_a_job_may_end_otherwise(server: ForkServer, group: Path, job: str, code: int, lent: bool) -> None:
    first = server.pid
    directory = os.open(group, os.O_PATH)
    child = await server.ask(f"forkserver_jobs:{job}", code, cgroup=directory, lent=lent)
    os.close(directory)
    assert await child.exited == code
    assert server.pid == first


async def test_what_the_kernel_refuses_is_told(server: ForkServer, group: Path) -> None:
    directory = os.open(group, os.O_PATH)
    group.rmdir()
    with pytest.raises(SystemFailure, match="cannot fork: No such"):
        await server.ask("forkserver_jobs:end_as", "true", [1], cgroup=directory, lent=True)
    os.close(directory)


async def test_a_program_that_cannot_be_run_is_told(server: ForkServer, group: Path) -> None:
    with pytest.raises(SystemFailure, match="cannot fork: No such file"):
        await ask(server, group, "end_as_nothing")
    assert await (await server.fork("forkserver_jobs:end_with", 7)).exited == 7


async def test_nothing_of_the_jobs_stays_with_the_server(server: ForkServer, group: Path) -> None:
    """Its memory is theirs; its descriptors, folder and priority are not."""
    before, *place = await _state_after(server, group, 100)
    after, *later = await _state_after(server, group, 400)
    assert later == place
    assert after - before < 64  # KiB


async def _state_after(server: ForkServer, group: Path, times: int) -> tuple[int, Path, list[str], int]:
    """The server's own memory in KiB, its folder, its descriptors and its priority after so many jobs of each kind."""
    for _ in range(times):
        with _pipe() as (_, write):
            children = [await ask(server, group, job, "true", write) for job in ("end_as", "fail", "end_as")]
            assert [await child.exited for child in children] == [0, 70, 0]
    process = Path(f"/proc/{server.pid}")
    memory = (process / "smaps_rollup").read_text().splitlines()
    anonymous = next(int(line.split()[1]) for line in memory if line.startswith("Anonymous:"))
    descriptors = sorted(str(fd.readlink()) for fd in (process / "fd").iterdir())
    return anonymous, (process / "cwd").readlink(), descriptors, os.getpriority(os.PRIO_PROCESS, server.pid)


async def test_the_server_ends_with_a_job_that_is_killed_in_its_memory(server: ForkServer, group: Path) -> None:
    """What it had begun to write may be half there. The next server is as good."""
    first = server.pid
    asking = ask(server, group, "stay")
    assert await asyncio.to_thread(_populated, group)
    (group / "cgroup.kill").write_text("1")
    with pytest.raises(Unavailable, match="the launcher died"):
        await asking
    assert await (await server.fork("forkserver_jobs:end_with", 7)).exited == 7
    assert server.pid != first


async def test_a_program_outlives_the_server(server: ForkServer, group: Path) -> None:
    with _pipe() as (read, write):
        child = await ask(server, group, "end_as", "echo here; exec sleep 600", write)
        assert await asyncio.to_thread(os.read, read, 9) == b"here\n"
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(Unavailable):
            await server.fork("forkserver_jobs:stay", None)
        child.kill()
        assert await child.exited == 128 + signal.SIGKILL


def _populated(group: Path) -> bool:
    deadline = time.monotonic() + 30
    while not (group / "cgroup.procs").read_text() and time.monotonic() < deadline:
        time.sleep(0.001)
    return bool((group / "cgroup.procs").read_text())


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    try:
        yield read, write
    finally:
        os.close(read)
        os.close(write)
