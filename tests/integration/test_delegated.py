"""Delegated volumes: root in a zone has datasets of its own, with the ordinary `btrfs` command."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.integration.rig import Daemon, Failed, daemon_with_busybox

POOL = ("--pool-size", str(512 << 20))
TOOLS = [word for folder in ("/usr", "/lib", "/lib64") for word in ("-v", f"{folder}:{folder}:ro")]
"""The host's own btrfs, where a user's image would have one."""

DESTROY_ALL = """
import fcntl, os, struct
for place in ("/data", "/etc/hosts", "/etc/resolv.conf"):
    here = os.open(place, os.O_RDONLY)
    for subvolume in range(256, 1000):
        by_number = struct.pack("<qQQ32sQ4032s", 0, 0, 16, b"", subvolume, b"")
        try:
            fcntl.ioctl(here, 0x5000943F, bytearray(by_number))  # BTRFS_IOC_SNAP_DESTROY_V2
        except OSError:
            pass
"""


@pytest.fixture(scope="module")
def own() -> Iterator[Daemon]:
    with daemon_with_busybox(*POOL) as daemon:
        yield daemon


@pytest.fixture
def daemon(own: Daemon) -> Iterator[Daemon]:
    yield own
    own.remove_zones()


def run(daemon: Daemon, *options: str) -> None:
    daemon.docker("volume", "create", "-o", "delegated=true", *options, "vol")
    daemon.docker("run", "-d", "--name", "za", "-v", "vol:/data", *TOOLS, "busybox", "sleep", "600")


def sh(daemon: Daemon, script: str) -> str:
    path = "export PATH=/bin:/usr/bin:/usr/sbin; cd /data; "
    return daemon.docker("exec", "za", "sh", "-c", path + script)


def test_a_zone_makes_snapshots_rolls_back_and_destroys(daemon: Daemon) -> None:
    run(daemon)
    sh(daemon, "set -e; btrfs -q subvolume create db; echo one > db/file; btrfs -q subvolume snapshot -r db db@one")
    sh(daemon, "set -e; echo two > db/file; btrfs -q subvolume delete db; btrfs -q subvolume snapshot db@one db")
    assert sh(daemon, "cat db/file") == "one"
    with pytest.raises(Failed, match="Read-only"):
        sh(daemon, "btrfs -q subvolume delete db@one")
    sh(daemon, "btrfs property set -f db@one ro false; btrfs -q subvolume delete db@one db")
    assert sh(daemon, "ls") == ""


def test_the_quota_holds_for_all_of_them_and_cannot_be_changed_inside(daemon: Daemon) -> None:
    run(daemon, "-o", "size=20M")
    sh(daemon, "btrfs -q subvolume create a; btrfs -q subvolume snapshot a b")
    sh(daemon, "for one in a b; do dd if=/dev/urandom of=$one/file bs=1M count=15 conv=fsync 2>/dev/null; done; true")
    assert 15 < int(sh(daemon, "cat a/file b/file | wc -c")) >> 20 < 20
    for words in ("btrfs qgroup limit none a", "btrfs quota disable .", "btrfs subvolume list /data"):
        with pytest.raises(Failed, match="not permitted"):
            sh(daemon, words)
    daemon.docker("rm", "-f", "za")
    daemon.docker("volume", "rm", "vol")


def test_no_more_children_stay_than_may_be(daemon: Daemon) -> None:
    run(daemon, "-o", "children=3")
    sh(daemon, "for n in 1 2 3; do btrfs -q subvolume create $n; done")
    for words in ("create 4", "create 2/4", "snapshot 1 4", "snapshot -r 1 3/4"):
        with pytest.raises(Failed, match="Disk quota exceeded"):
            sh(daemon, f"btrfs -q subvolume {words}")
    sh(daemon, "btrfs -q subvolume delete 2; btrfs -q subvolume create 2")
    assert sh(daemon, "ls").split() == ["1", "2", "3"]


def test_what_comes_past_the_limit_of_children_is_destroyed(daemon: Daemon) -> None:
    run(daemon, "-o", "children=3")
    sh(daemon, "for n in 1 2 3; do btrfs -q subvolume create $n; done")
    inside = ("nsenter", "--target", daemon.docker("inspect", "-f", "{{.State.Pid}}", "za"), "--mount", "--user")
    daemon.kill()
    subprocess.run([*inside, "btrfs", "subvolume", "snapshot", "/data/1", "/data/2/5"], check=True, timeout=20)
    daemon.start()
    assert sh(daemon, "ls . 2").split() == [".:", "1", "2", "3", "2:"]
    sh(daemon, "btrfs -q subvolume delete 3; btrfs -q subvolume create 6")
    assert sh(daemon, "ls").split() == ["1", "2", "6"]


def test_a_sibling_cannot_be_destroyed_by_its_number(daemon: Daemon) -> None:
    daemon.docker("volume", "create", "sibling")
    run(daemon)
    for name, option in (("zb", "--userns"), ("zc", "--network")):
        words = ("run", "-d", "--name", name, option, "host", "-v", "vol:/data", *TOOLS)
        daemon.docker(*words, "busybox", "sleep", "600")
    for zone in ("za", "zb", "zc"):
        daemon.docker("exec", zone, "/usr/bin/python3", "-c", DESTROY_ALL)
    assert daemon.docker("run", "--rm", "-v", "sibling:/s", "busybox", "ls", "/s") == ""


def test_a_snapshot_that_would_not_be_whole_is_refused(daemon: Daemon) -> None:
    run(daemon)
    daemon.zonehost("snapshot", "create", "vol@empty")
    sh(daemon, "btrfs -q subvolume create db")
    daemon.docker("stop", "-t", "0", "za")
    for words in (
        ("snapshot", "create", "vol@full"),
        ("snapshot", "create", "za@full"),
        ("snapshot", "rollback", "vol@empty"),
        ("clone", "za", "zb"),
    ):
        with pytest.raises(Failed, match="volume vol has datasets of its own inside"):
            daemon.zonehost(*words)
    with pytest.raises(Failed, match="volume vol has datasets of its own inside"):
        daemon.docker("volume", "create", "-o", "from=vol", "copy")


def test_options_that_cannot_be_are_refused(daemon: Daemon) -> None:
    for options, words in (
        (("delegated=yes",), "neither true nor false"),
        (("children=3",), "only a volume with delegated=true"),
        (("delegated=true", "children=0"), "no number above 0"),
    ):
        with pytest.raises(Failed, match=words):
            daemon.docker("volume", "create", *[word for one in options for word in ("-o", one)], "bad")
    assert daemon.docker("volume", "ls", "-q") == ""


def test_a_directory_has_no_delegated_volumes(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--storage-driver", "directory")
    with pytest.raises(Failed, match="volume option delegated: the storage driver directory does not have it"):
        daemon.docker("volume", "create", "-o", "delegated=true", "vol")
