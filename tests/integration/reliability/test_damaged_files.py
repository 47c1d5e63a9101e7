"""Each file that a daemon reads at its start is emptied, cut, changed or a folder: zones run on, and are found."""

from __future__ import annotations

import os
import select
import shutil
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from tests.integration.inventory import storage_roots
from tests.integration.reliability.figures import Figure
from tests.integration.rig import Daemon, Failed

pytestmark = pytest.mark.row(9)
DAMAGES = ("empty", "cut", "changed", "a folder")
UNSAID = (
    "lock",
    "resolver.log",
    "statfs.log",
    "statfs.sock.calls",
    "config.json",
    "status",
    "state.db",
    "state.copy.db",
)
"""What nobody reads at a start, what is made anew without a word, and what may still be whole in the log beside it."""


def damage(path: Path, how: str) -> None:
    """Spoil a file. What is changed is every seventh byte: neither text nor numbers are left."""
    data = bytearray(path.read_bytes()) if path.is_file() else bytearray()
    if path.is_dir():  # from before: nobody needed it
        path.rmdir()
    if how == "a folder":
        path.unlink(missing_ok=True)
        path.mkdir()
        return
    if how == "changed":
        data[::7] = (byte ^ 0x80 for byte in data[::7])
    path.write_bytes({"empty": b"", "cut": bytes(data[: len(data) // 2])}.get(how, bytes(data)))


def is_told(place: Path) -> bool:
    """Whether the daemon must name the file if it is damaged."""
    return place.name not in UNSAID and place.parent.name != "seccomp"


def pid(daemon: Daemon, zone: str) -> str:
    return daemon.docker("inspect", "-f", "{{.State.Pid}}", zone)


def files(daemon: Daemon) -> list[Path]:
    """What the daemon reads at a start, of a daemon that is down."""
    ids = [entry.name for entry in (daemon.instance.run_root / "zones").iterdir()]
    run, data, pool = daemon.instance.run_root, *storage_roots(daemon.instance)
    places = [
        *(data / name for name in ("state.copy.db", "state.db", "id", "lock")),
        *(run / name for name in ("lock", "resolver.log", "statfs.log", "statfs.sock.calls")),
        *(run / "seccomp").iterdir(),
        *(run / "zones" / zone / name for zone in ids for name in ("keeper.json", "pid", "cgroup_parent")),
        *(run / "zones" / zone / "config.json" for zone in ids[:1]),
        *(run / "crun" / zone / "status" for zone in ids),
        *(pool / "layers").glob("*/facts.json"),
    ]
    return [place for place in places if place.exists()]


@pytest.fixture
def zones(own: Daemon) -> Iterator[dict[str, str]]:
    """Two zones: one with a quota, a network and a port, one in a cgroup of somebody else's; their processes."""
    own.docker("network", "create", "net")
    with_all = ("--net", "net", "-p", "127.0.0.1::80", "--storage-opt", "size=100m")
    own.docker("run", "-d", "--name", "up", *with_all, "busybox", "sleep", "3600")
    own.docker("run", "-di", "--name", "below", "--cgroup-parent", own.instance.name, "busybox", "cat")
    yield {zone: pid(own, zone) for zone in ("up", "below")}
    own.docker("rm", "-f", "up", "below")
    assert not [
        group for place in (own.instance.name, f"*/{own.instance.name}") for group in Path("/sys/fs/cgroup").glob(place)
    ]


def live(daemon: Daemon, zones: dict[str, str]) -> None:
    """All zones are as they were, and all works."""
    assert {zone: pid(daemon, zone) for zone in zones} == zones
    for zone in zones:
        assert daemon.docker("exec", zone, "echo", "lives") == "lives"
    assert "127.0.0.1:" in daemon.docker("port", "up", "80")
    daemon.docker("run", "--rm", "--net", "net", "busybox", "nslookup", "up")
    assert daemon.doctor() == []


def test_zones_outlive_what_is_written_of_them(
    own: Daemon, zones: dict[str, str], rounds: Callable[[int, int], int], figure: Figure
) -> None:
    own.kill()
    places = files(own)
    all_ = [(place, how) for place, how in product(places, DAMAGES) if (place.name, how) != ("lock", "a folder")]
    # all at once, but for what stands for another, each spoilt in a way of its own; then one at a time
    turns = [
        [(place, how) for at, place in enumerate(places[1:]) if (place, how := DAMAGES[(at + turn) % 4]) in all_]
        for turn in range(len(DAMAGES))
    ]
    turns += [[one] for one in all_[:: rounds(len(all_), 5)]]
    for spoilt in turns:
        if own.process is not None:
            own.docker("version")  # the copy of the state is written while the answer is on its way
            own.kill()
        seen = own.log.stat().st_size
        for place, how in spoilt:
            damage(place, how)
        own.start()
        told = own.log.read_bytes()[seen:].decode()
        assert [place for place, _ in spoilt if is_told(place) and place.name not in told] == []
        live(own, zones)
    figure("other files damaged", sum(map(len, turns)))
    figure("zones lost by that", 0)


@pytest.mark.parametrize("root", ["data_root", "run_root"])
def test_a_lock_that_cannot_be_had_is_named(own: Daemon, root: str) -> None:
    lock: Path = getattr(own.instance, root) / "lock"
    own.kill()
    damage(lock, "a folder")
    with pytest.raises(Failed, match=rf"cannot lock {lock}: Is a directory"):
        own.start()
    lock.rmdir()
    own.start()


def test_a_zone_outlives_its_run_folder(own: Daemon, zones: dict[str, str]) -> None:
    own.kill()
    for zone in (own.instance.run_root / "zones").iterdir():
        shutil.rmtree(zone)
    own.start()
    live(own, zones)
    own.docker("kill", "-s", "KILL", "below")
    assert own.docker("wait", "below") == "137"
    own.docker("rm", "-f", *zones)
    assert own.doctor() == []


@pytest.mark.parametrize("how", DAMAGES)
def test_an_exit_code_that_cannot_be_read_is_that_of_a_kill(own: Daemon, how: str) -> None:
    own.docker("run", "-d", "--name", "up", "busybox", "sleep", "3600")
    keeper = os.pidfd_open(own.keeper("up"))
    own.kill()
    [folder] = (own.instance.run_root / "zones").iterdir()
    os.kill(int((folder / "pid").read_text()), 9)
    assert select.select([keeper], [], [], 20)[0], "the keeper did not end"
    os.close(keeper)
    damage(folder / "exit", how)
    own.start()
    assert own.docker("wait", "up") in ("137", "1")  # half of 137 is a number too
    assert own.doctor() == []
