"""The pool under a real daemon: default, quotas, growth, space that comes back, a crash."""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.inventory import storage_roots
from tests.integration.rig import Daemon, Failed, daemon_with_busybox
from zonehost.linux.inotify import Inotify

MIB = 1 << 20
POOL = 512 * MIB
SUPERBLOCK = 64 << 10
"""Where btrfs keeps it (btrfs(5))."""
OPENED = 0x20
"""IN_OPEN of inotify(7), which the daemon has no use for."""


@pytest.fixture(scope="module")
def pool_daemon() -> Iterator[Daemon]:
    with daemon_with_busybox("--pool-size", str(POOL)) as daemon:
        yield daemon


@pytest.fixture
def daemon(pool_daemon: Daemon) -> Iterator[Daemon]:
    yield pool_daemon
    pool_daemon.remove_zones()


def loops(daemon: Daemon) -> list[str]:
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        if backing.read_text().startswith(str(daemon.instance.data_root)):
            found.append(backing.parts[3])
    return found


def write(daemon: Daemon, zone: str, path: str, mib: int) -> int:
    """Have a zone write so many MiB and sync; the MiB that it got there."""
    daemon.run("exec", zone, "sh", "-c", f"dd if=/dev/urandom of={path} bs=1M count={mib} conv=fsync")
    return int(daemon.docker("exec", zone, "stat", "-c", "%s", path)) // MIB


def test_the_pool_is_the_default_and_the_host_does_not_see_it(daemon: Daemon) -> None:
    assert daemon.docker("info", "--format", "{{.Driver}}") == "btrfs"
    assert str(daemon.instance.data_root) not in Path("/proc/self/mountinfo").read_text()
    status = daemon.zonehost("pool", "status")
    assert "size      512.0 MiB" in status and f"/dev/{loops(daemon)[0]}" in status


def test_a_quota_bounds_root_log_and_anonymous_volumes_together(daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "za", "--storage-opt", "size=20M", "-v", "/data", "busybox", "sleep", "600")
    daemon.docker("run", "-d", "--name", "zb", "busybox", "sleep", "600")
    assert write(daemon, "za", "/data/one", 12) == 12
    assert 4 <= write(daemon, "za", "/two", 30) < 9
    refused = daemon.run("exec", "za", "sh", "-c", "dd if=/dev/zero of=/three bs=1M count=9 conv=fsync")
    assert refused.status != 0 and ("quota" in refused.err.lower() or "No space" in refused.err)
    assert write(daemon, "zb", "/two", 30) == 30


def test_a_container_that_is_full_can_be_started_and_tidied_up(daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "za", "--storage-opt", "size=20M", "busybox", "sleep", "600")
    assert write(daemon, "za", "/one", 30) < 20
    daemon.docker("restart", "-t", "0", "za")
    assert daemon.run("exec", "za", "touch", "/two").status != 0
    daemon.docker("exec", "za", "rm", "/one")
    assert write(daemon, "za", "/two", 10) == 10


def test_a_quota_changes_while_the_zone_runs(daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "za", "--storage-opt", "size=10M", "busybox", "sleep", "600")
    assert write(daemon, "za", "/one", 30) < 10
    daemon.zonehost("set", "za", "--size", "40M")
    assert daemon.docker("inspect", "za", "--format", "{{.HostConfig.StorageOpt.size}}") == "40M"
    assert write(daemon, "za", "/one", 30) == 30
    with pytest.raises(Failed, match="holds"):
        daemon.zonehost("set", "za", "--size", "1M")
    daemon.zonehost("set", "za", "--size", "0")
    assert write(daemon, "za", "/two", 50) == 50


def test_a_volume_has_a_size_and_its_use_is_shown(daemon: Daemon) -> None:
    daemon.docker("volume", "create", "-o", "size=8M", "vol")
    daemon.docker("run", "-d", "--name", "za", "-v", "vol:/v", "busybox", "sleep", "600")
    assert 6 <= write(daemon, "za", "/v/file", 20) <= 8
    volumes = json.loads(daemon.docker("system", "df", "-v", "--format", "{{json .}}"))["Volumes"]
    shown = next(volume["Size"] for volume in volumes if volume["Name"] == "vol")
    assert shown.endswith("MB") and 6 <= float(shown.removesuffix("MB")) <= 8.6


def test_ps_shows_what_a_zone_wrote(daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "za", "busybox", "sleep", "600")
    write(daemon, "za", "/file", 10)
    shown = daemon.docker("ps", "-s", "--format", "{{.Size}}")
    assert 10 <= float(shown.partition("MB")[0]) <= 12


def test_the_pool_grows_in_use_and_does_not_shrink(daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "za", "busybox", "sleep", "600")
    assert "size      640.0 MiB" in daemon.zonehost("pool", "grow", "640M")
    with pytest.raises(Failed, match="cannot become smaller"):
        daemon.zonehost("pool", "grow", "300M")
    assert write(daemon, "za", "/file", 10) == 10


def test_a_scrub_finds_no_errors(daemon: Daemon) -> None:
    assert daemon.zonehost("pool", "scrub").endswith(", 0 errors\n")


def test_a_scrub_finds_what_the_disk_has_changed(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--pool-size", str(POOL))
    daemon.zonehost("bootstrap", "busybox")
    daemon.docker("run", "-d", "--name", "za", "busybox", "sleep", "600")
    content = os.urandom(MIB)
    daemon.docker("exec", "-i", "za", "sh", "-c", "cat > /file; sync", stdin=content)
    backing = daemon.instance.data_root / "pool.btrfs"
    with backing.open("r+b") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            place = data.find(content[:4096])
        assert place >= 0
        file.seek(place)
        file.write(bytes([content[0] ^ 1]))
        os.fsync(file.fileno())
    with pytest.raises(Failed, match="could not be mended"):
        daemon.zonehost("pool", "scrub")
    assert write(daemon, "za", "/other", 5) == 5


async def test_sizes_are_told_without_a_look_at_any_file(daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "za", "-v", "vol:/v", "busybox", "sh", "-c", "mkdir /d /v/d; exec sleep 600")
    zone = daemon.docker("inspect", "za", "--format", "{{.Id}}")
    (root,) = (root for root in storage_roots(daemon.instance) if (root / "zones" / zone).exists())
    folders = (root / "zones" / zone / "root/upper", root / "volumes/vol/_data")
    opened = Inotify()
    for folder in folders:
        opened.add(folder, OPENED)
    for shown in (("ps", "-s"), ("system", "df"), ("system", "df", "-v")):
        daemon.docker(*shown)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await opened.read()
    for folder in folders:
        list(folder.iterdir())
    assert len(await opened.read()) >= len(folders)
    opened.close()


def test_what_is_removed_goes_back_to_the_host(daemon: Daemon) -> None:
    backing = daemon.instance.data_root / "pool.btrfs"
    daemon.docker("run", "-d", "--name", "za", "busybox", "sleep", "600")
    write(daemon, "za", "/file", 120)
    full = backing.stat().st_blocks * 512
    daemon.docker("rm", "-f", "za")
    # The kernel frees a removed subvolume in the background, after a commit, and tells nobody.
    while full - backing.stat().st_blocks * 512 <= 100 * MIB:
        subprocess.run(["sync", "-f", str(backing)], check=True, timeout=60)
        daemon.zonehost("pool", "trim")


def test_a_crash_leaves_one_loop_device_and_the_data(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--pool-size", str(POOL))
    daemon.zonehost("bootstrap", "busybox")
    daemon.docker("run", "-d", "--name", "za", "busybox", "sh", "-c", "echo kept > /file; exec sleep 600")
    for _ in range(2):
        daemon.kill()
        daemon.start()
        assert len(loops(daemon)) == 1
    assert daemon.docker("exec", "za", "cat", "/file") == "kept"
    daemon.docker("rm", "-f", "za")
    daemon.stop()
    assert loops(daemon) == []
    daemon.start()
    assert len(loops(daemon)) == 1


def test_a_damaged_pool_is_a_clear_error_and_is_left_alone(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--pool-size", str(POOL))
    backing = daemon.instance.data_root / "pool.btrfs"
    daemon.stop()
    os.truncate(backing, POOL // 2)
    with pytest.raises(Failed, match="pool"):
        daemon.start()
    assert backing.stat().st_size == POOL // 2
    os.truncate(backing, POOL)
    with backing.open("r+b") as file:
        file.seek(SUPERBLOCK)
        superblock = file.read(4096)
        file.seek(SUPERBLOCK)
        file.write(bytes(4096))
    with pytest.raises(Failed, match="cannot be opened"):
        daemon.start()
    with backing.open("r+b") as file:
        file.seek(SUPERBLOCK)
        assert file.read(4096) == bytes(4096)
        file.seek(SUPERBLOCK)
        file.write(superblock)
    aside = backing.rename(backing.with_name("aside"))
    with pytest.raises(Failed, match="is missing: put it back"):
        daemon.start()
    aside.rename(backing)
    daemon.start()


def test_a_directory_has_no_pool_and_says_so(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--storage-driver", "directory")
    assert daemon.docker("info", "--format", "{{.Driver}}") == "directory"
    with pytest.raises(Failed, match="the storage driver directory has no pool"):
        daemon.zonehost("pool", "status")
