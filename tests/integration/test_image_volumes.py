"""Volumes that are files with a file system in them: mounted for their zones only, and gone with them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.rig import Daemon, Failed, daemon_with_busybox

MIB = 1 << 20
MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-d", "{tree}", "{file}"),
    "xfs": ("mkfs.xfs", "-q", "{file}"),
    "erofs": ("mkfs.erofs", "--quiet", "{file}", "{tree}"),
    "squashfs": ("mksquashfs", "{tree}", "{file}", "-quiet", "-no-progress", "-noappend"),
}


@pytest.fixture(scope="module")
def own() -> Iterator[Daemon]:
    with daemon_with_busybox("--pool-size", str(512 * MIB)) as daemon:
        yield daemon


@pytest.fixture
def daemon(own: Daemon) -> Iterator[Daemon]:
    yield own
    own.remove_zones()


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Path]:
    """Makes an image of a kind, with a file of root's and one of user 5's in it, where the kind is made of a tree."""

    def made(kind: str) -> Path:
        tree, file = tmp_path / "tree", tmp_path / f"{kind}.img"
        tree.mkdir(exist_ok=True)
        (tree / "file").write_text("kept\n")
        (tree / "five").write_text("five\n")
        os.chown(tree / "five", 5, 5)
        if kind in ("ext4", "xfs"):
            file.touch()
            os.truncate(file, (320 if kind == "xfs" else 32) * MIB)
        words = [word.format(tree=tree, file=file) for word in MAKE[kind]]
        subprocess.run(words, check=True, capture_output=True, timeout=60)
        return file

    return made


def loops(file: Path) -> list[str]:
    backing = Path("/sys/block").glob("loop*/loop/backing_file")
    return [entry.parts[3] for entry in backing if entry.read_text().strip() == str(file)]


def volume(daemon: Daemon, file: Path, *options: str, name: str = "img") -> None:
    words = [word for option in (f"device={file}", *options) for word in ("-o", option)]
    daemon.docker("volume", "create", "-o", "type=image", *words, name)


def run(daemon: Daemon, name: str = "za", mount: str = "img:/img") -> None:
    daemon.docker("run", "-d", "--name", name, "-v", mount, "busybox", "sleep", "600")


def sh(daemon: Daemon, script: str, zone: str = "za") -> str:
    return daemon.docker("exec", zone, "sh", "-c", script)


@pytest.mark.parametrize("kind", ["erofs", "squashfs"])
def test_a_read_only_file_system_is_seen_with_its_owners(
    daemon: Daemon, make: Callable[[str], Path], kind: str
) -> None:
    volume(daemon, file := make(kind), f"fstype={kind}")
    run(daemon)
    assert sh(daemon, "cat /img/file; stat -c %u /img/file /img/five; grep /img /proc/mounts").split()[:3] == [
        "kept",
        "0",
        "5",
    ]
    with pytest.raises(Failed, match="Read-only"):
        sh(daemon, "touch /img/new")
    daemon.docker("rm", "-f", "za")
    assert loops(file) == []


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_what_is_written_stays_in_the_file(daemon: Daemon, make: Callable[[str], Path], kind: str) -> None:
    volume(daemon, file := make(kind))
    run(daemon)
    sh(daemon, "echo written > /img/new; chown 7 /img/new")
    assert str(file) not in Path("/proc/self/mountinfo").read_text() and len(loops(file)) == 1
    assert f"{kind} /dev/{loops(file)[0]}" in daemon.zonehost("zone", "show", "za")
    daemon.docker("restart", "-t", "0", "za")
    assert sh(daemon, "cat /img/new; stat -c %u /img/new") == "written\n7"
    daemon.docker("stop", "-t", "0", "za")
    assert loops(file) == []
    assert daemon.run("cp", "za:/img/new", "-").out.count("written") == 1
    assert loops(file) == []


def test_two_zones_share_one_file_system(daemon: Daemon, make: Callable[[str], Path]) -> None:
    volume(daemon, file := make("ext4"))
    run(daemon)
    run(daemon, "zb", "img:/other:ro")
    sh(daemon, "echo shared > /img/new")
    assert sh(daemon, "cat /other/new", "zb") == "shared"
    with pytest.raises(Failed, match="Read-only"):
        sh(daemon, "touch /other/x", "zb")
    assert len(loops(file)) == 1
    daemon.docker("rm", "-f", "za")
    assert len(loops(file)) == 1
    daemon.docker("rm", "-f", "zb")
    assert loops(file) == []


@pytest.mark.parametrize("victim", ["zone", "keeper", "daemon"])
def test_the_device_goes_however_the_zone_ends(daemon: Daemon, make: Callable[[str], Path], victim: str) -> None:
    volume(daemon, file := make("ext4"))
    run(daemon)
    pid = int(daemon.docker("inspect", "-f", "{{.State.Pid}}", "za"))
    if victim == "zone":
        os.kill(pid, signal.SIGKILL)
    elif victim == "keeper":
        status = Path(f"/proc/{pid}/status").read_text()
        os.kill(int(status.partition("PPid:")[2].split()[0]), signal.SIGKILL)
    else:
        daemon.kill()
        os.kill(pid, signal.SIGKILL)
        daemon.start()
    daemon.docker("wait", "za")
    daemon.docker("rm", "-f", "za")
    assert loops(file) == []


def test_bad_input_is_one_clear_error(daemon: Daemon, make: Callable[[str], Path], tmp_path: Path) -> None:
    ext4 = make("ext4")
    for options, words in (
        ((f"device={tmp_path}/none",), "is no file of this host"),
        (("device=disk.img",), "is no absolute path"),
        ((f"device={ext4}", "fstype=ntfs"), "is none of ext4, xfs, erofs, squashfs"),
        ((f"device={ext4}", "size=3M"), "volume option size: not with type=image"),
        ((f"device={ext4}", "ro=perhaps"), "neither true nor false"),
    ):
        with pytest.raises(Failed, match=words):
            daemon.docker("volume", "create", "-o", "type=image", *[w for one in options for w in ("-o", one)], "bad")
    with pytest.raises(Failed, match='"nfs" is not supported, only image'):
        daemon.docker("volume", "create", "-o", "type=nfs", "bad")
    assert daemon.docker("volume", "ls", "-q") == ""
    volume(daemon, ext4, "fstype=xfs", name="wrong")
    (tmp_path / "empty").touch()
    volume(daemon, tmp_path / "empty", name="empty")
    for name, words in (("wrong", "it is not xfs but ext4"), ("empty", "it is not ext4, xfs, erofs, squashfs")):
        with pytest.raises(Failed, match=words):
            run(daemon, f"z{name}", f"{name}:/img")
    assert loops(ext4) == []


def test_a_file_that_another_program_has_is_left_alone(daemon: Daemon, make: Callable[[str], Path]) -> None:
    volume(daemon, file := make("ext4"))
    done = subprocess.run(["losetup", "--find", "--show", file], check=True, capture_output=True, text=True, timeout=20)
    try:
        with pytest.raises(Failed, match=f"{done.stdout.strip()} has it for writing"):
            run(daemon)
    finally:
        subprocess.run(["losetup", "--detach", done.stdout.strip()], check=True, timeout=20)
    daemon.docker("start", "za")
    volume(daemon, file, "ro", name="other")
    with pytest.raises(Failed, match="has it for writing"):
        run(daemon, "zb", "other:/img")


def test_it_is_no_part_of_snapshots_and_clones_share_it(daemon: Daemon, make: Callable[[str], Path]) -> None:
    volume(daemon, file := make("ext4"))
    run(daemon)
    daemon.zonehost("snapshot", "create", "za@one")
    daemon.zonehost("clone", "za@one", "zb")
    daemon.docker("start", "zb")
    sh(daemon, "echo shared > /img/new")
    assert sh(daemon, "cat /img/new", "zb") == "shared" and len(loops(file)) == 1
    for words in (("snapshot", "create", "img@one"), ("send", "za@one")):
        with pytest.raises(Failed, match="is an image file"):
            daemon.zonehost(*words)
