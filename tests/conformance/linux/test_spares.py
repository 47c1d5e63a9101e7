"""Jobs beside a process of another pid namespace: with a spare of the fork server's, and without, they are the same."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from zonehost.errors import SystemFailure
from zonehost.linux.forkserver import Child, ForkServer


class Place:
    """A cgroup, and a process that is the first of a pid namespace."""

    def __init__(self, group: Path, process: int) -> None:
        self.group = group
        self.directory = os.open(group, os.O_PATH)
        self.process = os.pidfd_open(process)

    async def fork(self, server: ForkServer, job: str, *fds: int) -> Child:
        return await server.fork(f"forkserver_jobs:{job}", None, fds, cgroup=self.directory, beside=self.process)


@pytest.fixture
def place() -> Iterator[Place]:
    unified = next(
        line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[2] == "cgroup2"
    )
    group = Path(unified, f"zonehost-test-{os.getpid()}")
    group.mkdir()
    holder = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "sleep", "600"])
    while not (children := _children(holder.pid)):
        pass
    found = Place(group, children[0])
    yield found
    os.close(found.directory)
    os.close(found.process)
    holder.kill()
    holder.wait()
    if group.is_dir():
        group.rmdir()


async def test_a_spares_job_is_as_one_that_is_forked(server: ForkServer, place: Place) -> None:
    forked = await _place_of_a_job(server, place)
    assert forked[0] == f"0::/{place.group.name}"
    assert forked[1].split()[-1] != forked[1].split()[1]  # another number in the pid namespace
    assert forked[2:] == ["0", "1", "2", "3"]
    used: set[int] = set()
    for _ in range(4):  # the first shows what memory it writes to, and the others have it before
        used.add(await _fresh_spare(server, used))
        spared = await _place_of_a_job(server, place)
        assert (spared[0], spared[2:]) == (forked[0], forked[2:])


async def test_what_is_asked_for_at_once_is_done_at_once(server: ForkServer, place: Place) -> None:
    await _place_of_a_job(server, place)
    await _fresh_spare(server)
    with _pipes(3) as pipes:
        # Each holds what the next waits for: none may have to wait for another's end.
        children = [await place.fork(server, "run_cat", pipes[n][0], pipes[n + 1][1]) for n in (1, 0)]
        os.write(pipes[0][1], b"through")
        assert await asyncio.to_thread(os.read, pipes[2][0], 9) == b"through"
        for child in children:
            child.kill()
            assert await child.exited == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
async def test_a_spare_that_is_no_more_is_not_missed(server: ForkServer, place: Place, number: int) -> None:
    await _place_of_a_job(server, place)
    spare = await _fresh_spare(server)
    os.kill(server.pid, signal.SIGSTOP)
    asking = asyncio.create_task(_place_of_a_job(server, place))
    os.kill(spare, number)
    os.kill(server.pid, signal.SIGCONT)
    assert (await asking)[0] == f"0::/{place.group.name}"
    assert (await _place_of_a_job(server, place))[0] == f"0::/{place.group.name}"


async def test_what_the_kernel_refuses_to_a_spare_is_told(server: ForkServer, place: Place) -> None:
    await _place_of_a_job(server, place)
    await _fresh_spare(server)
    place.group.rmdir()
    for _ in range(2):
        with pytest.raises(SystemFailure, match="cannot fork: No such"):
            await place.fork(server, "tell_place")


async def test_a_job_may_be_killed_at_any_moment_of_its_birth(server: ForkServer, place: Place) -> None:
    await _place_of_a_job(server, place)
    first, used = server.pid, set[int]()
    for round_ in range(40):
        used.add(await _fresh_spare(server, used))
        with _pipes(1) as [(_, write)]:
            asking = asyncio.create_task(place.fork(server, "tell_place", write))
            await asyncio.sleep(0)
            moment = time.perf_counter() + round_ * 20e-6
            while time.perf_counter() < moment:
                pass
            (place.group / "cgroup.kill").write_text("1")
            child = await asking
            assert await child.exited in (0, 128 + signal.SIGKILL)
    assert server.pid == first


async def test_a_spares_job_outlives_the_server_and_no_spare_does(server: ForkServer, place: Place) -> None:
    await _place_of_a_job(server, place)
    await _fresh_spare(server)
    with _pipes(2) as ((read, write), (end, out)):
        child = await place.fork(server, "run_cat", read, out)
        os.write(write, b"here")
        assert await asyncio.to_thread(os.read, end, 9) == b"here"  # it runs its program, and another spare comes
        spare = await _fresh_spare(server, {child.pid})
        guard = os.pidfd_open(spare)
        os.kill(server.pid, signal.SIGKILL)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(guard, ended.set)
        await asyncio.wait_for(ended.wait(), 30)
        asyncio.get_running_loop().remove_reader(guard)
        os.close(guard)
        os.write(write, b"still")
        assert await asyncio.to_thread(os.read, end, 9) == b"still"
        child.kill()
        assert await child.exited == 128 + signal.SIGKILL


async def _place_of_a_job(server: ForkServer, place: Place) -> list[str]:
    with _pipes(1) as [(read, write)]:
        child = await place.fork(server, "tell_place", write)
        assert await child.exited == 0
        return os.read(read, 4096).decode().splitlines()


async def _fresh_spare(server: ForkServer, used: Collection[int] = ()) -> int:
    """The server's child that is none of these, once there is one alone, which waits for a request."""
    while True:
        fresh = [pid for pid in _children(server.pid) if pid not in used]
        with suppress(FileNotFoundError, ProcessLookupError):  # a used one, that ends just now
            if len(fresh) == 1 and "State:\tS" in Path(f"/proc/{fresh[0]}/status").read_text():
                return fresh[0]
        await asyncio.sleep(0)


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def _pipes(count: int) -> Iterator[list[tuple[int, int]]]:
    pipes = [os.pipe() for _ in range(count)]
    yield pipes
    for pipe in pipes:
        for fd in pipe:
            os.close(fd)
