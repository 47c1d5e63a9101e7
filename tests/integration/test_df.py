"""What df(1) shows in zones: the limits of their datasets, whatever becomes of the daemon and of the supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.inventory import holdings
from tests.integration.rig import Daemon, daemon_with_busybox

MIB = 1 << 20
POOL = 512 * MIB
SIZE = ("--storage-opt", "size=40M")
FEW_SECONDS = 20


@pytest.fixture(scope="module")
def own() -> Iterator[Daemon]:
    with daemon_with_busybox("--pool-size", str(POOL)) as daemon:
        yield daemon


@pytest.fixture
def daemon(own: Daemon) -> Iterator[Daemon]:
    yield own
    own.remove_zones()


class Shown:
    """The last line of `df -k`, in bytes."""

    def __init__(self, text: str) -> None:
        _, self.size, self.used, self.available, *_ = (
            int(word) << 10 if word.isdecimal() else word for word in text.splitlines()[-1].split()
        )

    def is_of(self, size: int, used: int = 0) -> bool:
        """Whether it is of that size, and about so much is used."""
        assert isinstance(self.used, int)
        assert isinstance(self.available, int)
        return self.size == size and used <= self.used < used + 2 * MIB and self.available == size - self.used


def df(daemon: Daemon, zone: str, path: str = "/") -> Shown:
    return Shown(daemon.docker("exec", zone, "df", "-k", path))


def run(daemon: Daemon, name: str, *options: str) -> None:
    daemon.docker("run", "-d", "--name", name, *options, "busybox", "sleep", "600")


def supervisor(daemon: Daemon) -> int:
    """Its pid; 0 if there is none."""
    pattern = f"main.sys.argv. {daemon.instance.run_root}/statfs.sock"
    done = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True)
    return int(done.stdout or 0)


def until(found: Callable[[], bool]) -> None:
    end = time.monotonic() + FEW_SECONDS
    while not found():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--user", "1000"),
        ("--read-only",),
        ("--init",),
        ("--security-opt", "no-new-privileges"),
        ("--security-opt", "seccomp=unconfined"),
        ("--privileged",),
        ("--userns", "host"),
        ("--cap-drop", "ALL"),
    ],
    ids="-".join,
)
def test_a_zone_sees_its_limit(daemon: Daemon, options: tuple[str, ...]) -> None:
    assert Shown(daemon.docker("run", "--rm", *SIZE, *options, "busybox", "df", "-k", "/")).is_of(40 * MIB)
    run(daemon, "za", *SIZE, *options)
    for words in ((), ("-t",), ("--user", "7"), ("--privileged",)):
        assert Shown(daemon.docker("exec", *words, "za", "df", "-k", "/").replace("\r", "")).is_of(40 * MIB)


def test_a_zone_without_limits_sees_the_pool_and_has_no_filter_more(daemon: Daemon) -> None:
    run(daemon, "za")
    assert df(daemon, "za").size == POOL
    for words in (("exec", "za"), ("run", "--rm", "busybox")):
        assert "Seccomp_filters:\t1" in daemon.docker(*words, "cat", "/proc/self/status")


def test_root_and_anonymous_volumes_are_one_sum(daemon: Daemon) -> None:
    run(daemon, "za", *SIZE, "-v", "/v")
    for path, mib in (("/file", 5), ("/v/file", 6)):
        daemon.docker("exec", "za", "dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={mib}")
    for place in ("/", "/v"):
        assert df(daemon, "za", place).is_of(40 * MIB, 11 * MIB)


def test_the_log_counts(daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "za", *SIZE, "busybox", "sh", "-c", "yes | head -c 9000000; exec sleep 600")
    until(lambda: isinstance(used := df(daemon, "za").used, int) and used > 8 * MIB)


def test_a_volume_shows_its_own_limit(daemon: Daemon) -> None:
    daemon.docker("volume", "create", "-o", "size=8M", "small")
    daemon.docker("volume", "create", "free")
    for name, options, root in (("za", (), POOL), ("zb", SIZE, 40 * MIB)):
        run(daemon, name, *options, "-v", "small:/small", "-v", "free:/free")
        assert df(daemon, name, "/small").size == 8 * MIB
        assert df(daemon, name, "/free").size == POOL
        assert df(daemon, name, "/dev").size == 64 * MIB
        assert df(daemon, name).size == root
    daemon.run("exec", "za", "dd", "if=/dev/urandom", "of=/small/file", "bs=1M", "count=20")
    full = df(daemon, "zb", "/small")
    assert isinstance(full.available, int)
    assert full.available < MIB


def test_a_delegated_volume_and_what_is_in_it_show_one_limit(daemon: Daemon) -> None:
    tools = [word for folder in ("/usr", "/lib", "/lib64") for word in ("-v", f"{folder}:{folder}:ro")]
    daemon.docker("volume", "create", "-o", "delegated=true", "-o", "size=20M", "vol")
    run(daemon, "za", "-v", "vol:/data", *tools)
    daemon.docker("exec", "za", "/usr/bin/btrfs", "-q", "subvolume", "create", "/data/child")
    daemon.docker("exec", "za", "dd", "if=/dev/zero", "of=/data/child/file", "bs=1M", "count=5")
    for place in ("/data", "/data/child", "/data/child/file"):
        assert df(daemon, "za", place).is_of(20 * MIB, 5 * MIB)


def test_a_limit_that_changes_is_seen_at_once(daemon: Daemon) -> None:
    run(daemon, "za", *SIZE)
    daemon.zonehost("set", "za", "--size", "60M")
    assert df(daemon, "za").size == 60 * MIB
    daemon.zonehost("set", "za", "--size", "0")
    assert df(daemon, "za").size == POOL


def test_a_first_limit_is_seen_after_the_next_start(daemon: Daemon) -> None:
    run(daemon, "za")
    daemon.zonehost("set", "za", "--size", "60M")
    assert df(daemon, "za").size == POOL
    daemon.docker("restart", "-t", "0", "za")
    assert df(daemon, "za").size == 60 * MIB


def test_ordinary_commands_work(daemon: Daemon) -> None:
    run(daemon, "za", *SIZE)
    script = "set -e; cp -r /bin /copy; ls -lR /copy | wc -l; rm -r /copy; ls /copy 2>&1 || true; stat -f / >/dev/null"
    assert "No such file" in daemon.docker("exec", "za", "sh", "-c", script)


class Talk:
    """A zone that answers by itself, daemon or not: it reads paths from a fifo, and writes what df says to another."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.folder = folder
        for name in ("ask", "answer"):
            os.mkfifo(folder / name)
            (folder / name).chmod(0o666)
        script = "while read -r path < /talk/ask; do df -k $path > /talk/answer; done"
        words = ("--name", "talks", *SIZE, "-v", f"{folder}:/talk", "busybox", "sh", "-c", script)
        daemon.docker("run", "-d", *words)

    def begin(self) -> None:
        (self.folder / "ask").write_text("/\n")

    def end(self) -> Shown:
        return Shown((self.folder / "answer").read_text())

    def df(self) -> Shown:
        self.begin()
        return self.end()


@pytest.fixture
def fresh(new_daemon: Callable[..., Daemon]) -> Daemon:
    daemon = new_daemon("--pool-size", str(POOL))
    daemon.zonehost("bootstrap", "busybox")
    return daemon


def test_it_is_right_without_a_daemon_and_with_the_next(fresh: Daemon, tmp_path: Path) -> None:
    assert supervisor(fresh) == 0
    talk = Talk(fresh, tmp_path)
    assert talk.df().is_of(40 * MIB)
    before = supervisor(fresh)
    assert any("statfs.sock" in line for line in holdings(fresh.instance) if line.startswith("process"))
    for end in (fresh.kill, fresh.stop):
        end()
        assert talk.df().is_of(40 * MIB)
        fresh.start()
        assert df(fresh, "talks").is_of(40 * MIB)
        assert supervisor(fresh) == before
    fresh.docker("rm", "-f", "talks")
    assert fresh.docker("run", "--rm", *SIZE, "busybox", "true") == ""


def test_a_supervisor_that_is_killed_is_replaced(fresh: Daemon, tmp_path: Path) -> None:
    talk = Talk(fresh, tmp_path)
    running = fresh.docker("exec", "-d", "talks", "sh", "-c", "sleep 2; df -k / > /late")
    assert running == ""
    assert talk.df().is_of(40 * MIB)
    before = supervisor(fresh)
    os.kill(before, signal.SIGKILL)
    assert talk.df().is_of(40 * MIB)
    assert df(fresh, "talks").is_of(40 * MIB)
    until(lambda: supervisor(fresh) not in (0, before))
    assert fresh.doctor() == []
    until(lambda: fresh.run("exec", "talks", "test", "-s", "/late").status == 0)
    assert Shown(fresh.docker("exec", "talks", "cat", "/late")).is_of(40 * MIB)


def test_a_zone_waits_where_both_are_killed_and_is_answered_by_the_next_daemon(fresh: Daemon, tmp_path: Path) -> None:
    talk = Talk(fresh, tmp_path)
    assert talk.df().is_of(40 * MIB)
    fresh.kill()
    os.kill(supervisor(fresh), signal.SIGKILL)
    talk.begin()
    fresh.start()
    assert talk.end().is_of(40 * MIB)


def test_the_supervisor_ends_with_its_last_zone_where_there_is_no_daemon(fresh: Daemon, tmp_path: Path) -> None:
    talk = Talk(fresh, tmp_path)
    assert talk.df().is_of(40 * MIB)
    first = int(fresh.docker("inspect", "-f", "{{.State.Pid}}", "talks"))
    fresh.kill()
    os.kill(first, signal.SIGKILL)
    until(lambda: supervisor(fresh) == 0)


def test_doctor_misses_a_supervisor_that_cannot_be_had_and_brings_it_back(fresh: Daemon, tmp_path: Path) -> None:
    talk = Talk(fresh, tmp_path)
    assert talk.df().is_of(40 * MIB)
    path = fresh.instance.run_root / "statfs.sock"
    path.unlink()
    path.mkdir()
    os.kill(supervisor(fresh), signal.SIGKILL)
    until(lambda: fresh.doctor() != [])
    assert [(found["trouble"], found["kind"]) for found in fresh.doctor()] == [("loss", "supervisor")]
    path.rmdir()
    talk.begin()
    fresh.zonehost("doctor", "--repair")
    assert talk.end().is_of(40 * MIB)
    assert fresh.doctor() == []
