"""The disk of the state fills up, breaks, or changes what was written: nothing that was acknowledged is lost.

The full disk is a small file system that is full to a given byte; the broken one an ext4 whose device answers writes
with EIO. What is damaged are the state's files as a SIGKILL leaves them.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.inventory import datasets
from tests.integration.reliability.figures import Figure
from tests.integration.reliability.fuse import OneFile, breakable_disk
from tests.integration.reliability.work import archive
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(9)
MEGABYTE = 1 << 20
BLOCK = 4096


class Model:
    """What clients were told, of containers, volumes, networks and images; True: it is there, False: it is not."""

    LISTS = (
        ("ps", "-a", "--format", "container {{.Names}}"),
        ("volume", "ls", "--format", "volume {{.Name}}"),
        ("network", "ls", "--filter", "type=custom", "--format", "network {{.Name}}"),
        ("images", "--format", "image {{.Repository}}"),
    )

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.known: dict[str, bool] = {}
        self.refused = 0
        self.told = 0

    def work(self, number: int) -> None:
        """Make one of each kind, and take away those that were made two rounds before."""
        for kind, make, remove in (
            ("volume", ("volume", "create", "{}"), ("volume", "rm")),
            ("network", ("network", "create", "{}"), ("network", "rm")),
            ("container", ("create", "-v", "/anonymous", "--name", "{}", "busybox", "true"), ("rm", "-v")),
            ("image", ("import", "-", "{}"), ("rmi",)),
        ):
            name = f"{kind[0]}{number}"
            tree = archive(number) if kind == "image" else b""
            self._try(f"{kind} {name}", True, *(word.format(name) for word in make), stdin=tree)
            if self.known.get(f"{kind} {kind[0]}{number - 2}"):
                self._try(f"{kind} {kind[0]}{number - 2}", False, *remove, f"{kind[0]}{number - 2}")
        result = self._daemon.run("run", "--rm", "busybox", "sh", "-c", "exit 3")
        assert result.status in (3, 125, 126, 127, 1), result

    def _try(self, thing: str, there: bool, *words: str, stdin: bytes = b"") -> None:
        result = self._daemon.run(*words, stdin=stdin)
        if result.status == 0:
            self.told += 1
            self.known[thing] = there
        else:
            self.refused += 1
            assert "Cannot connect" not in result.err, "the daemon is gone"
            self.known.pop(thing, None)  # of a removal that failed either may be true

    def lost(self) -> set[str]:
        """What is not as clients were told."""
        lines = "\n".join(self._daemon.docker(*words) for words in self.LISTS).splitlines()
        return {thing for thing, there in self.known.items() if (thing in lines) is not there}


def daemon_on(disk: Path, undo: ExitStack) -> Daemon:
    daemon = Daemon.make("--storage-driver", "directory")
    shutil.rmtree(daemon.instance.data_root)
    daemon.instance = replace(daemon.instance, data_root=disk / "data")
    undo.callback(daemon.close)
    daemon.start()
    daemon.zonehost("bootstrap", "busybox")
    daemon.docker("run", "--rm", "busybox", "true")
    return daemon


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def converged(daemon: Daemon, model: Model) -> None:
    """After a crash and a start all is as clients were told, and nothing is left over."""
    daemon.kill()
    daemon.start()
    assert model.lost() == set()
    assert daemon.doctor() == []


def fill(disk: Path, left: int) -> None:
    """Fill the disk but for so many bytes."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    free = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(BLOCK, free.f_bavail * free.f_bsize - left))


def test_a_full_disk_loses_nothing_that_was_acknowledged(
    tmp_path: Path, undo: ExitStack, rounds: Callable[[int, int], int], figure: Figure
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "none", str(disk)], check=True, timeout=20)
    undo.callback(subprocess.run, ["umount", str(disk)], check=True, timeout=20)
    daemon = daemon_on(disk, undo)
    model = Model(daemon)
    tries = rounds(6, 60)
    for number in range(tries):
        fill(disk, left=number * 64 // tries * BLOCK)
        model.work(number)
        (disk / "ballast").unlink()
        if number % 6 == 5:
            converged(daemon, model)
    assert model.refused, "the disk was never full"
    fill(disk, left=0)
    daemon.kill()
    daemon.start()
    assert model.lost() == set()
    (disk / "ballast").unlink()
    figure("answers on a full disk", model.told + model.refused, fold="sum")
    figure("of them refused", model.refused, fold="sum")
    figure("committed records lost", 0)
    daemon.remove_zones()
    assert datasets(daemon.instance) == []


def test_a_broken_disk_loses_nothing_that_was_acknowledged(
    tmp_path: Path, undo: ExitStack, rounds: Callable[[int, int], int], figure: Figure
) -> None:
    below: OneFile
    below, disk = undo.enter_context(breakable_disk(tmp_path / "broken", 64 * MEGABYTE))
    daemon = daemon_on(disk, undo)
    model = Model(daemon)
    for number in range(0, rounds(4, 40), 2):
        model.work(number)
        below.fails = True
        model.work(number + 1)
        below.fails = False
        model.work(number + 1)
        assert model.lost() == set()
    assert model.refused, "the disk never failed"
    figure("answers on a broken disk", model.told + model.refused, fold="sum")
    figure("committed records lost", 0)
    converged(daemon, model)


def test_a_damaged_database_is_mended_from_its_copy(
    own: Daemon, rounds: Callable[[int, int], int], figure: Figure
) -> None:
    dice = random.Random(9)
    model = Model(own)
    process = own.docker("run", "-d", "--name", "up", "busybox", "sleep", "3600")
    damages = rounds(4, 40)
    for number in range(damages):
        model.work(number)
        own.docker("version")  # the copy is written while the answer is on its way
        own.kill()
        files = [own.instance.data_root / name for name in ("state.db", "state.db-wal")]
        spoil(dice.choice([file for file in files if file.exists() and file.stat().st_size]), dice)
        own.start()
        assert model.lost() == set()
        assert own.docker("exec", "up", "echo", "lives") == "lives"
    assert own.docker("inspect", "-f", "{{.Id}}", "up") == process
    assert "restored from the copy" in own.log.read_text()
    assert own.doctor() == []
    figure("damaged databases", damages)
    figure("committed records lost", 0)


def spoil(path: Path, dice: random.Random) -> None:
    """Cut the file, or flip one bit of it, anywhere."""
    size = path.stat().st_size
    if dice.random() < 0.3:
        os.truncate(path, dice.randrange(size))
        return
    with path.open("r+b") as file:
        file.seek(place := dice.randrange(size))
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << dice.randrange(8)]))
