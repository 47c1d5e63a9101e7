"""What becomes of zones and daemon when the pool or the disk under it is full; data roots that are btrfs themselves."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.reliability.work import archive
from tests.integration.rig import COMMAND, Daemon, Failed

MIB = 1 << 20


@contextmanager
def mounted(daemon: Daemon, *words: str) -> Iterator[None]:
    """Something else under the data root of a daemon, until it has ended."""
    root = daemon.instance.data_root
    subprocess.run(["mount", *words, root], check=True, timeout=20)
    try:
        daemon.start()
        daemon.zonehost("bootstrap", "busybox")
        yield
        daemon.remove_zones()
        assert daemon.stop() == 0
    finally:
        if daemon.process is not None:
            daemon.kill()
        subprocess.run(["umount", "--lazy", root], check=True, timeout=20)
        daemon.discard()


def fill(daemon: Daemon, zone: str, mib: int) -> str:
    script = f"dd if=/dev/urandom of=/fill bs=1M count={mib} conv=fsync"
    return daemon.run("exec", zone, "sh", "-c", script).err


def test_a_full_pool_hurts_who_writes_and_nobody_else(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--pool-size", str(320 * MIB))
    daemon.zonehost("bootstrap", "busybox")
    for name in ("za", "zb"):
        daemon.docker("run", "-d", "--name", name, "busybox", "sleep", "600")
    daemon.docker("exec", "zb", "sh", "-c", "echo kept > /file; sync")
    assert "No space left" in fill(daemon, "za", 400)
    assert daemon.docker("exec", "zb", "cat", "/file") == "kept"
    assert daemon.docker("ps", "-q").count("\n") == 1
    daemon.docker("rm", "-f", "za")
    daemon.zonehost("pool", "grow", "400M")
    daemon.docker("run", "--rm", "busybox", "sh", "-c", "echo room > /file")
    assert daemon.docker("exec", "zb", "sh", "-c", "echo more >> /file; cat /file") == "kept\nmore"


def test_a_full_disk_under_the_pool_is_told_and_nothing_that_was_synced_is_lost() -> None:
    daemon = Daemon.make("--pool-size", str(1024 * MIB))
    with mounted(daemon, "-t", "tmpfs", "-o", "size=300m", "tmpfs"):
        for name in ("za", "zb"):
            daemon.docker("run", "-d", "--name", name, "busybox", "sleep", "600")
        daemon.docker("exec", "zb", "sh", "-c", "echo kept > /file; sync")
        told = fill(daemon, "za", 500)
        assert "error" in told.lower() or "No space" in told or "Read-only" in told
        subprocess.run(["mount", "-o", "remount,size=900m", daemon.instance.data_root], check=True, timeout=20)
        daemon.docker("kill", "za", "zb")
        assert daemon.stop() == 0
        daemon.start()
        daemon.docker("start", "zb")
        assert daemon.docker("exec", "zb", "cat", "/file") == "kept"
        daemon.docker("rm", "-f", "za")
        assert daemon.zonehost("pool", "scrub").endswith(", 0 errors\n")


def test_a_nearly_full_disk_under_the_pool_fails_clearly_and_loses_no_record(tmp_path: Path) -> None:
    file = tmp_path / "disk"
    with file.open("wb") as opened:
        opened.truncate(400 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-F", file], check=True, timeout=60)
    daemon = Daemon.make("--pool-size", str(1024 * MIB))
    with mounted(daemon, "-o", "loop", str(file)):
        daemon.docker("run", "-d", "--name", "up", "busybox", "sleep", "600")
        daemon.docker("volume", "create", "kept")
        free = os.statvfs(daemon.instance.data_root)
        ballast = daemon.instance.data_root / "ballast"
        with ballast.open("wb") as opened:
            os.posix_fallocate(opened.fileno(), 0, free.f_bavail * free.f_bsize - 4 * MIB)
        fill(daemon, "up", 20)
        there = {"up"}
        for number in range(4):
            for words, made in (
                (("create", "--name", f"made{number}", "busybox"), {f"made{number}"}),
                (("run", "--name", f"run{number}", "busybox", "true"), {f"run{number}"}),
                (("commit", "up", f"image{number}"), set()),
                (("import", "-", f"imported{number}"), set()),
                (("volume", "create", f"volume{number}"), set()),
            ):
                result = daemon.run(*words, stdin=archive(number))
                assert "internal error" not in result.err
                assert "Error response from daemon: " in result.err or result.status == 0, result
                there |= made if result.status == 0 else set()
        assert there <= set(daemon.docker("ps", "-a", "--format", "{{.Names}}").split())
        ballast.unlink()
        daemon.docker("kill", "up")
        assert daemon.stop() == 0
        daemon.start()
        assert there <= set(daemon.docker("ps", "-a", "--format", "{{.Names}}").split())
        assert "kept" in daemon.docker("volume", "ls", "-q").split()
        daemon.docker("start", "up")
        daemon.docker("run", "--rm", "busybox", "true")
        assert daemon.doctor() == []


def test_a_data_root_on_btrfs_is_the_pool_itself(tmp_path: Path) -> None:
    file = tmp_path / "disk"
    with file.open("wb") as opened:
        opened.truncate(600 * MIB)
    subprocess.run(["mkfs.btrfs", "--quiet", file], check=True, timeout=60)
    daemon = Daemon.make("--storage-opt", "size=20M")
    with mounted(daemon, "-o", "loop,user_subvol_rm_allowed", str(file)):
        assert daemon.docker("info", "--format", "{{.Driver}}") == "btrfs"
        status = daemon.zonehost("pool", "status")
        assert "size      600.0 MiB" in status and "file" not in status
        with pytest.raises(Failed, match="grow that file system instead"):
            daemon.zonehost("pool", "grow", "1G")
        daemon.docker("run", "-d", "--name", "za", "-v", "data:/data", "busybox", "sleep", "600")
        assert "quota" in fill(daemon, "za", 40).lower()
        daemon.docker("exec", "za", "sh", "-c", "rm /fill; echo one > /data/file")
        daemon.zonehost("snapshot", "create", "za@one")
        daemon.docker("exec", "za", "sh", "-c", "echo two > /data/file")
        daemon.zonehost("clone", "za@one", "zb")
        daemon.docker("start", "zb")
        assert daemon.docker("exec", "zb", "cat", "/data/file") == "one"
        daemon.docker("volume", "create", "-o", "delegated=true", "mine")


def test_a_host_that_does_not_let_zones_destroy_is_told_how(tmp_path: Path) -> None:
    file = tmp_path / "disk"
    with file.open("wb") as opened:
        opened.truncate(300 * MIB)
    subprocess.run(["mkfs.btrfs", "--quiet", file], check=True, timeout=60)
    daemon = Daemon.make()
    with (
        mounted(daemon, "-o", "loop", str(file)),
        pytest.raises(Failed, match="mount the file system of the data root with user_subvol_rm_allowed"),
    ):
        daemon.docker("volume", "create", "-o", "delegated=true", "mine")


def test_zones_that_ask_for_no_quota_get_the_default(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--pool-size", str(512 * MIB), "--storage-opt", "size=20M")
    daemon.zonehost("bootstrap", "busybox")
    daemon.docker("run", "-d", "--name", "za", "busybox", "sleep", "600")
    daemon.docker("run", "-d", "--name", "zb", "--storage-opt", "size=60M", "busybox", "sleep", "600")
    sizes = {zone: daemon.docker("inspect", "-f", "{{.HostConfig.StorageOpt.size}}", zone) for zone in ("za", "zb")}
    assert sizes["zb"] == "60M"
    assert "quota" in fill(daemon, "za", 40).lower()
    assert "quota" not in fill(daemon, "zb", 40).lower()


def test_a_snapshot_of_root_and_volume_is_of_one_moment(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--pool-size", str(512 * MIB))
    daemon.zonehost("bootstrap", "busybox")
    loop = "while :; do echo >> /root/file; echo >> /data/file; done"
    daemon.docker("run", "-d", "--name", "za", "-v", "data:/data", "busybox", "sh", "-c", loop)
    for number in range(8):
        daemon.zonehost("snapshot", "create", f"za@s{number}")
    daemon.docker("kill", "za")
    counts = set()
    for number in range(8):
        daemon.zonehost("clone", f"za@s{number}", "copy")
        daemon.docker("cp", "copy:/root/file", f"{daemon.instance.run_root}/root")
        daemon.docker("cp", "copy:/data/file", f"{daemon.instance.run_root}/data")
        root, data = (len((daemon.instance.run_root / name).read_bytes()) for name in ("root", "data"))
        assert root - data in (0, 1)
        counts.add(data)
        daemon.docker("rm", "-f", "copy")
        daemon.docker("volume", "rm", "copy-data")
    assert len(counts) > 4, "the zone did not write meanwhile"


def test_of_two_receives_of_one_name_one_wins(new_daemon: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = new_daemon("--pool-size", str(512 * MIB))
    daemon.zonehost("bootstrap", "busybox")
    daemon.docker("run", "--rm", "-v", "data:/data", "busybox", "sh", "-c", "head -c 9000000 /dev/urandom > /data/f")
    daemon.zonehost("snapshot", "create", "data@one")
    with (tmp_path / "stream").open("wb") as file:
        subprocess.run([str(COMMAND), "send", "data@one"], stdout=file, env=daemon.environment, check=True, timeout=60)
    ended: list[subprocess.CompletedProcess[str]] = []

    def receive() -> None:
        words = [str(COMMAND), "receive", "copy"]
        with (tmp_path / "stream").open("rb") as file:
            ended.append(
                subprocess.run(words, stdin=file, capture_output=True, text=True, env=daemon.environment, timeout=60)
            )

    threads = [threading.Thread(target=receive) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.returncode for one in ended) == [0, 1]
    assert [one.stdout for one in ended if not one.returncode] == ["copy@one\n"]
    assert "copy already" in next(one.stderr for one in ended if one.returncode)
    assert json.loads(daemon.docker("volume", "inspect", "copy"))[0]["Name"] == "copy"
    assert daemon.zonehost("receive", "--partials") == ""
