"""The supervisor on a real pool: what a process under its filter gets, and what becomes of it by force."""

from __future__ import annotations

import ast
import asyncio
import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.storage_pools import open_test_pool
from tests.integration.reliability.fuse import one_file
from zonehost.drivers.storage.btrfs.blank import Blank
from zonehost.drivers.storage.btrfs.datasets import BtrfsStorage
from zonehost.drivers.storage.btrfs.pool import Pool, enter_private_mounts
from zonehost.drivers.storage.btrfs.subvolumes import Subvolumes
from zonehost.drivers.supervisor.supervising import Supervisor
from zonehost.linux import ancillary, btrfs_ioctls, mounts, overlay

MIB = 1 << 20
LIMIT = 20 * MIB


class Caller:
    """A process under the filter, and the listener."""

    def __init__(self, *, user: int = 0, cwd: Path | None = None) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.conformance.supervisor.caller", str(theirs.fileno())],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                    pass_fds=(theirs.fileno(),),
                )
            _, [self.listener] = ancillary.receive(ours, 1, 1)
        self.key = self._process.pid
        if cwd is not None:
            self.tell(f"os.chdir({os.fspath(cwd)!r})")
        if user:
            self.tell(
                f"os.setgroups([]) or os.setresgid({user}, {user}, {user}) or os.setresuid({user}, {user}, {user})"
            )

    def tell(self, line: str) -> Any:
        """What a line of Python gives there."""
        self.begin(line)
        return self.end()

    def begin(self, line: str) -> None:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)

    def end(self) -> Any:
        assert self._process.stdout is not None
        return ast.literal_eval(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        os.close(self.listener)


@pytest.fixture(scope="module", autouse=True)
def private_mounts() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    enter_private_mounts()


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    tmp_path.chmod(0o755)
    with open_test_pool(tmp_path / "data") as pool:
        yield pool


@pytest.fixture
def storage(pool: Pool) -> BtrfsStorage:
    subvolumes = Subvolumes(pool.root, pool.descriptor)
    return BtrfsStorage(pool, subvolumes, Blank(pool.root, pool.descriptor, subvolumes))


@pytest.fixture
async def volume(storage: BtrfsStorage) -> Path:
    """The content of a volume that may hold 20 MiB."""
    return Path(await storage.create_volume("bound", options={"size": str(LIMIT)}))


@pytest.fixture
async def supervisor(tmp_path: Path, pool: Pool) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path / "statfs.sock", pool.descriptor)
    yield supervisor
    await supervisor.close()


@pytest.fixture
async def caller(supervisor: Supervisor) -> AsyncIterator[Callable[..., Any]]:
    """Makes callers that the supervisor answers."""
    with ExitStack() as undo:

        async def make(**given: Any) -> Caller:
            # Its start asks nothing that waits: what it does before this is not told to anybody.
            made = await asyncio.to_thread(Caller, **given)
            undo.callback(made.close)
            await supervisor.watch(made.key, made.listener)
            return made

        yield make


def processes(path: Path) -> list[int]:
    """The supervisors that hear at the path."""
    done = subprocess.run(["pgrep", "-f", f"main.sys.argv. {path}"], capture_output=True, text=True)
    return [int(pid) for pid in done.stdout.split()]


async def test_the_limit_is_shown_by_path_and_by_file(caller: Callable[..., Any], volume: Path) -> None:
    one = await caller()
    (volume / "file").write_bytes(b"x" * 5 * MIB)
    for ask in (f"statfs({os.fspath(volume)!r}.encode())", f"fstatfs(os.open({os.fspath(volume / 'file')!r}, 0))"):
        whole, free, available = one.tell(ask)
        assert whole == LIMIT
        assert 14 * MIB < free <= 15 * MIB
        assert available == free


async def test_what_is_written_is_seen_before_it_is_on_the_disk(caller: Callable[..., Any], volume: Path) -> None:
    one = await caller(cwd=volume)
    before = one.tell("statfs(b'.')")[1]
    with (volume / "file").open("wb") as file:
        file.write(bytes(8 * MIB))
        file.flush()
        assert abs(before - one.tell("statfs(b'.')")[1] - 8 * MIB) < MIB
    (volume / "file").unlink()
    os.sync()
    assert before - one.tell("statfs(b'.')")[1] < MIB


async def test_no_more_is_shown_than_the_pool_has(
    caller: Callable[..., Any], storage: BtrfsStorage, pool: Pool
) -> None:
    large = await storage.create_volume("large", options={"size": str(1 << 40)})
    one = await caller()
    shown = one.tell(f"statfs({large!r}.encode())")
    status = os.statvfs(pool.root)
    assert shown[0] == status.f_blocks * status.f_frsize
    assert 0 < shown[1] <= status.f_bfree * status.f_frsize


async def test_the_rest_is_the_kernels(caller: Callable[..., Any], storage: BtrfsStorage, pool: Pool) -> None:
    unbounded = await storage.create_volume("unbounded", options={})
    one = await caller()
    for place in (unbounded, os.fspath(pool.root), "/", "/proc", "/proc/self/fd", "/dev", "/sys"):
        status = os.statvfs(place)
        assert one.tell(f"statfs({place!r}.encode())")[0] == status.f_blocks * status.f_frsize


async def test_a_limit_changes_and_ends_at_once(caller: Callable[..., Any], storage: BtrfsStorage, pool: Pool) -> None:
    zone = await storage.create_zone("zone", quota=LIMIT)
    inner = await storage.create_volume("inner", options={}, zone="zone")
    one = await caller()
    for place in (zone, inner):
        assert one.tell(f"statfs({place!r}.encode())")[0] == LIMIT
    await storage.limit_zone("zone", 2 * LIMIT)
    for place in (zone, inner):
        assert one.tell(f"statfs({place!r}.encode())")[0] == 2 * LIMIT
    await storage.limit_zone("zone", 0)
    assert one.tell(f"statfs({inner!r}.encode())")[0] == os.statvfs(pool.root).f_blocks * 4096


async def test_one_child_more_than_may_be_is_refused(
    caller: Callable[..., Any], storage: BtrfsStorage, pool: Pool
) -> None:
    data = await storage.create_volume("delegated", options={"delegated": "true", "children": "3"})
    one = await caller()
    assert one.tell(f"make({data!r}, 'a')") is True
    assert one.tell(f"make({data + '/a'!r}, 'b')") is True
    assert one.tell(f"take({data + '/a/b'!r}, {data!r}, 'c')") is True
    for line in (
        f"make({data!r}, 'd')",
        f"make({data + '/a/b'!r}, 'd')",
        f"take({data + '/a'!r}, {data + '/c'!r}, 'd')",
        f"make_as_long_ago({data!r}, 'd')",
    ):
        assert one.tell(line) == errno.EDQUOT
    Path(data, "c").rmdir()
    assert one.tell(f"make({data!r}, 'd')") is True
    assert one.tell(f"make({data!r}, 'e')") == errno.EDQUOT


async def test_elsewhere_children_are_the_kernels(
    caller: Callable[..., Any], storage: BtrfsStorage, pool: Pool, tmp_path: Path
) -> None:
    one = await caller()
    for name in ("one", "two"):
        data = await storage.create_volume(name, options={"size": str(LIMIT)})
        assert one.tell(f"make({data!r}, 'a')") is True
    assert one.tell(f"make({os.fspath(pool.root)!r}, 'a')") is True
    assert one.tell("make('/proc', 'a')") == errno.ENOTTY
    assert one.tell(f"raw(IOCTL, 999, {btrfs_ioctls.SUBVOL_CREATE}, bytes(4096))") == errno.EBADF


async def test_an_overlay_shows_the_limit_of_its_upper_directory(
    caller: Callable[..., Any], storage: BtrfsStorage, tmp_path: Path
) -> None:
    zone = await storage.create_zone("zone", quota=LIMIT)
    for name in ("layer", "scratch", "root"):
        (tmp_path / name).mkdir()
    mount = overlay.assemble([str(tmp_path / "layer")], f"{zone}/root", scratch=str(tmp_path / "scratch"))
    root = str(tmp_path / "root")
    mounts.place(mount, root)
    os.close(mount)
    try:
        one = await caller()
        assert one.tell(f"statfs({root!r}.encode())")[0] == LIMIT
        (tmp_path / "root" / "file").write_bytes(bytes(8 * MIB))
        assert one.tell(f"fstatfs(os.open({root + '/file'!r}, 0))")[1] < LIMIT - 8 * MIB
    finally:
        mounts.detach(root)


async def test_errors_are_those_of_the_kernel(caller: Callable[..., Any], volume: Path) -> None:
    (volume / "loop").symlink_to("loop")
    (volume / "file").write_text("")
    one = await caller(cwd=volume)
    expected = {
        "statfs(b'missing')": errno.ENOENT,
        "statfs(b'')": errno.ENOENT,
        "statfs(b'loop')": errno.ELOOP,
        "statfs(b'file/')": errno.ENOTDIR,
        "statfs(b'file/.')": errno.ENOTDIR,
        "statfs(b'file/..')": errno.ENOTDIR,
        "statfs(b'a' * 300)": errno.ENAMETOOLONG,
        "statfs(b'./' * 2100)": errno.ENAMETOOLONG,
        "statfs(None)": errno.EFAULT,
        "statfs(ctypes.c_void_p(1 << 63))": errno.EFAULT,
        "statfs(b'.', None)": errno.EFAULT,
        "statfs(b'.', ctypes.c_void_p(8))": errno.EFAULT,
        "statfs(b'.', ctypes.c_void_p((1 << 64) - 200))": errno.EFAULT,
        "statfs(b'.', ctypes.c_void_p(ctypes.addressof(mmap.PAGE)))": errno.EFAULT,
        "fstatfs(-1)": errno.EBADF,
        "fstatfs(999)": errno.EBADF,
        "fstatfs(os.open('.', 0), None)": errno.EFAULT,
    }
    one.tell("setattr(mmap, 'PAGE', ctypes.c_char.from_buffer(mmap.mmap(-1, 4096)))")
    one.tell("LIBC.mprotect(ctypes.c_void_p(ctypes.addressof(mmap.PAGE)), 4096, 1)")
    assert {ask: one.tell(ask) for ask in expected} == expected


async def test_the_way_is_the_callers(caller: Callable[..., Any], volume: Path, tmp_path: Path) -> None:
    inside = volume / "a" / "b"
    inside.mkdir(parents=True)
    (volume / "up").symlink_to("a/../a/b/..")
    (volume / "out").symlink_to("/")
    (volume / "round").symlink_to(volume)
    one = await caller(cwd=inside)
    pool = os.statvfs("/").f_blocks * os.statvfs("/").f_frsize
    for path, size in (("..", LIMIT), ("../../up", LIMIT), ("../../round/a/", LIMIT), ("../../out", pool), ("/", pool)):
        assert one.tell(f"statfs({path!r}.encode())")[0] == size, path
    one.tell(f"os.chroot({os.fspath(volume)!r})")
    for path in ("/", "/..", "/a/../../..", "/out", "../../../..", "/up"):
        assert one.tell(f"statfs({path!r}.encode())")[0] == LIMIT, path
    assert one.tell("statfs(b'/round')") == errno.ENOENT
    assert tmp_path.exists()


async def test_who_may_not_pass_learns_nothing(caller: Callable[..., Any], volume: Path) -> None:
    (volume / "closed" / "in").mkdir(parents=True)
    (volume / "closed").chmod(0o700)
    one = await caller(user=1000, cwd=volume)
    for path in ("closed/in", "closed/missing"):
        assert one.tell(f"statfs({path!r}.encode())") == errno.EACCES
    assert one.tell("statfs(b'closed')")[0] == LIMIT
    os.chown(volume / "closed", 1000, 1000)
    assert one.tell("statfs(b'closed/in')")[0] == LIMIT


async def test_threads_are_answered_too(caller: Callable[..., Any], volume: Path) -> None:
    one = await caller(cwd=volume)
    pooled = "list(__import__('multiprocessing.pool').pool.ThreadPool(8).map(lambda _: statfs(b'.', "
    assert one.tell(pooled + "ctypes.create_string_buffer(256)) != 0, range(200)))") == [True] * 200


async def test_there_is_one_filter_of_the_kind_above_another(caller: Callable[..., Any], volume: Path) -> None:
    """Who runs under another's goes without one of ours."""
    one = await caller(cwd=volume)
    assert one.tell("seccomp_notify.listen(numbers.CALLS)") == errno.EBUSY
    assert one.tell("listening.listen_to_calls(None)") is None
    assert one.tell("statfs(b'.')")[0] == LIMIT


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="other calls elsewhere")
async def test_programs_of_32_bits(caller: Callable[..., Any], volume: Path) -> None:
    one = await caller(cwd=volume)
    result, text = one.tell("statfs_32(99, b'.', 0)")
    if result == -errno.ENOSYS:
        pytest.skip("the kernel has no calls of 32 bits")
    assert result == 0
    assert int.from_bytes(text[8:12], "little") * 4096 == LIMIT
    result, text = one.tell("statfs_32(268, b'.', 84)")
    assert result == 0
    assert int.from_bytes(text[8:16], "little") * 4096 == LIMIT
    assert text[84:] == bytes(len(text) - 84)
    assert one.tell("statfs_32(268, b'.', 83)")[0] == -errno.EINVAL


async def test_what_a_killed_supervisor_was_told_is_answered_by_the_next(
    caller: Callable[..., Any], volume: Path, tmp_path: Path
) -> None:
    """It is stopped until the call is its own: a call is told once, and it dies with it."""
    one = await caller(cwd=volume)
    assert one.tell("statfs(b'.')")[0] == LIMIT
    one.begin(f"[statfs(b'.')[0] for _ in range(3000)].count({LIMIT})")
    for _ in range(8):
        [pid] = await eventually(lambda: processes(tmp_path / "statfs.sock"))
        await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        await eventually(partial(ended, pid))
    # Calls that were under way are the kernel's own: at most one a death.
    assert 3000 - 8 <= await asyncio.to_thread(one.end) <= 3000


async def test_it_goes_on_without_a_daemon_and_ends_with_the_last_caller(
    pool: Pool, volume: Path, tmp_path: Path
) -> None:
    path = tmp_path / "statfs.sock"
    first = Supervisor(path, pool.descriptor)
    one = await asyncio.to_thread(Caller, cwd=volume)
    await first.watch(one.key, one.listener)
    await first.close()
    assert one.tell("statfs(b'.')")[0] == LIMIT
    [pid] = processes(path)
    second = Supervisor(path, pool.descriptor)
    await second.watch(one.key, one.listener)
    assert one.tell("statfs(b'.')")[0] == LIMIT
    assert processes(path) == [pid]
    await second.close()
    one.close()
    await eventually(lambda: not processes(path))
    assert not path.exists() or stat.S_ISSOCK(path.stat().st_mode)


async def test_one_without_callers_ends_with_its_daemon(pool: Pool, volume: Path, tmp_path: Path) -> None:
    path = tmp_path / "statfs.sock"
    supervisor = Supervisor(path, pool.descriptor)
    one = await asyncio.to_thread(Caller, cwd=volume)
    await supervisor.watch(one.key, one.listener)
    assert one.tell("statfs(b'.')")[0] == LIMIT
    one.close()
    supervisor.forget(one.key)
    await eventually(lambda: listeners(path) == 0)
    await supervisor.close()
    assert processes(path) == []
    assert not list(tmp_path.glob("statfs.*"))


async def test_a_file_system_that_hangs_is_not_asked(caller: Callable[..., Any], volume: Path, tmp_path: Path) -> None:
    """Nothing of the supervisor waits there: it can be killed, where a thread that waits for FUSE could not."""
    with one_file(tmp_path / "silent", 4096) as silent:
        place = os.fspath(silent.place)
        by_file, by_path, sound = await caller(), await caller(), await caller(cwd=volume)
        by_file.tell(f"setattr(os, 'kept', os.open({place!r}, os.O_RDONLY))")
        silent.hangs = True
        by_file.begin("fstatfs(os.kept)")
        by_path.begin(f"statfs({place!r}.encode())")
        assert await asyncio.to_thread(silent.held.wait, 10)
        assert sound.tell("statfs(b'.')")[0] == LIMIT
        [pid] = processes(tmp_path / "statfs.sock")
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: processes(tmp_path / "statfs.sock") not in ([], [pid]))
        assert sound.tell("statfs(b'.')")[0] == LIMIT
        silent.die()
        assert {by_file.end(), by_path.end()} <= {errno.ENOTCONN, errno.ECONNABORTED}


def ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}/exe").exists()


def listeners(path: Path) -> int:
    [pid] = processes(path)
    return sum("seccomp" in str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir())


async def eventually(found: Callable[[], Any]) -> Any:
    """What becomes true, within ten seconds."""

    def look() -> Any:
        end = time.monotonic() + 10
        while not (value := found()):
            assert time.monotonic() < end
            time.sleep(0.01)
        return value

    return await asyncio.to_thread(look)
