"""Snapshots, rollbacks and clones of real zones and volumes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from tests.integration.rig import Daemon, Failed, daemon_with_busybox
from tests.integration.wire import Wire


@pytest.fixture(scope="module")
def pool_daemon() -> Iterator[Daemon]:
    with daemon_with_busybox("--pool-size", str(512 << 20)) as daemon:
        yield daemon


@pytest.fixture
def daemon(pool_daemon: Daemon) -> Iterator[Daemon]:
    yield pool_daemon
    pool_daemon.remove_zones()


def serve(daemon: Daemon, name: str, *options: str) -> None:
    daemon.docker("run", "-d", "--name", name, *options, "busybox", "sleep", "600")


def sh(daemon: Daemon, zone: str, script: str) -> str:
    return daemon.docker("exec", zone, "sh", "-c", script)


def test_a_zone_goes_back_to_any_snapshot_with_its_volumes(daemon: Daemon) -> None:
    serve(daemon, "za", "-v", "data:/data", "-v", "/anonymous")
    for step in ("one", "two", "three"):
        sh(daemon, "za", f"for f in /root/f /data/f /anonymous/f; do echo {step} > $f; done")
        assert daemon.zonehost("snapshot", "create", f"za@{step}") == f"za@{step}\n"
    with pytest.raises(Failed, match="is running: stop it"):
        daemon.zonehost("snapshot", "rollback", "za@one")
    daemon.docker("stop", "-t", "0", "za")
    for step in ("one", "three", "two"):
        daemon.zonehost("snapshot", "rollback", f"za@{step}")
        daemon.docker("start", "za")
        assert sh(daemon, "za", "cat /root/f /data/f /anonymous/f") == "\n".join([step] * 3)
        daemon.docker("stop", "-t", "0", "za")


def test_snapshots_are_listed_shown_compared_and_removed(daemon: Daemon) -> None:
    serve(daemon, "za", "-v", "data:/data")
    sh(daemon, "za", "echo 1 > /data/changed; echo 1 > /data/deleted")
    daemon.zonehost("snapshot", "create", "za@one", "--label", "why=test", "--pause")
    with pytest.raises(Failed, match="already"):
        daemon.zonehost("snapshot", "create", "za@one")
    sh(daemon, "za", "echo 2 > /data/changed; rm /data/deleted /bin/vi; echo 2 > /root/added")
    assert daemon.zonehost("snapshot", "diff", "za@one").splitlines() == [
        "A /bin",
        "D /bin/vi",
        "A /root",
        "A /root/added",
        "C data:/changed",
        "D data:/deleted",
    ]
    assert "za@one" in daemon.zonehost("snapshot", "ls", "za")
    assert daemon.zonehost("snapshot", "ls", "data").count("\n") == 1
    assert "why=test" in daemon.zonehost("snapshot", "show", "za@one")
    daemon.zonehost("snapshot", "rm", "za@one")
    with pytest.raises(Failed, match="no such snapshot"):
        daemon.zonehost("snapshot", "show", "za@one")
    with pytest.raises(Failed, match="no such container or volume"):
        daemon.zonehost("snapshot", "create", "nobody@one")


def test_a_volume_is_cloned_as_it_is_and_as_it_was(daemon: Daemon) -> None:
    serve(daemon, "za", "-v", "data:/data")
    sh(daemon, "za", "echo old > /data/f")
    daemon.zonehost("snapshot", "create", "data@old")
    sh(daemon, "za", "echo new > /data/f")
    daemon.docker("volume", "create", "-o", "from=data", "now")
    daemon.docker("volume", "create", "-o", "from=data@old", "then")
    read = ("run", "--rm", "-v", "now:/now", "-v", "then:/then", "busybox", "cat", "/now/f", "/then/f")
    assert daemon.docker(*read) == "new\nold"
    with pytest.raises(Failed, match="in use by volume then"):
        daemon.zonehost("snapshot", "rm", "data@old")
    daemon.docker("volume", "rm", "then")
    daemon.zonehost("snapshot", "rm", "data@old")
    with pytest.raises(Failed, match="no such volume"):
        daemon.docker("volume", "create", "-o", "from=nothing", "other")
    assert "other" not in daemon.docker("volume", "ls", "-q")


def test_volumes_of_an_image_are_private_and_the_image_may_go(daemon: Daemon) -> None:
    daemon.docker("run", "--name", "maker", "busybox", "sh", "-c", "mkdir /db; chown 5:6 /db; echo rows > /db/table")
    daemon.docker("commit", "maker", "database")
    for name in ("v1", "v2"):
        daemon.docker("volume", "create", "-o", "from-image=database:/db", name)
    write = "echo mine >> /db/table; cat /db/table; stat -c %u:%g /db"
    assert daemon.docker("run", "--rm", "-v", "v1:/db", "busybox", "sh", "-c", write) == "rows\nmine\n5:6"
    assert daemon.docker("run", "--rm", "-v", "v2:/db", "busybox", "cat", "/db/table") == "rows"
    daemon.docker("rm", "maker")
    daemon.docker("rmi", "database")
    assert daemon.docker("run", "--rm", "-v", "v2:/db", "busybox", "cat", "/db/table") == "rows"
    with pytest.raises(Failed, match="not IMAGE:/path"):
        daemon.docker("volume", "create", "-o", "from-image=busybox", "v3")


def test_volumes_share_what_they_have_of_an_image(daemon: Daemon) -> None:
    make = "mkdir -p /db/inner; head -c 60000000 /dev/urandom > /db/inner/table; echo one > /db/changed"
    daemon.docker("run", "--name", "maker", "busybox", "sh", "-c", make)
    daemon.docker("commit", "maker", "database")
    daemon.docker("rm", "maker")
    daemon.docker("run", "--name", "maker", "database", "sh", "-c", "echo two > /db/changed; sync")
    daemon.docker("commit", "maker", "database")
    looked = daemon.docker("run", "--rm", "database", "sh", "-c", "cat /db/inner/table /db/changed | sha256sum")
    before = used(daemon)
    daemon.docker("volume", "create", "-o", "from-image=database:/db", "v1")
    look = ("database", "sh", "-c", "cat /db/inner/table /db/changed | sha256sum; sync")
    assert daemon.docker("run", "--rm", "-v", "v1:/db", *look) == looked
    assert daemon.docker("run", "--rm", "-v", "v2:/db", *look) == looked
    assert used(daemon) - before < 5_000_000
    daemon.docker("run", "--rm", "-v", "v2:/db", "busybox", "sh", "-c", "echo mine > /db/inner/table")
    assert daemon.docker("run", "--rm", "-v", "v1:/db", *look) == looked
    daemon.docker("rm", "maker")
    daemon.docker("rmi", "database")


def used(daemon: Daemon) -> int:
    """Bytes of the pool; what zones wrote is in it when they have called sync."""
    return int(json.loads(Wire(daemon.endpoint).raw("GET", "/zonehost/v1/pool").body)["Used"])


def test_a_running_zone_is_cloned_with_its_volumes(daemon: Daemon) -> None:
    serve(daemon, "za", "-v", "data:/data", "-v", "/anonymous", "-e", "KEY=value")
    sh(daemon, "za", "for f in /root/f /data/f /anonymous/f; do echo one > $f; done")
    daemon.zonehost("snapshot", "create", "za@one")
    sh(daemon, "za", "for f in /root/f /data/f /anonymous/f; do echo two > $f; done")
    daemon.zonehost("clone", "za", "now")
    daemon.zonehost("clone", "za@one", "then")
    daemon.docker("start", "now", "then")
    for name, wanted in (("now", "two"), ("then", "one"), ("za", "two")):
        assert sh(daemon, name, "cat /root/f /data/f /anonymous/f") == "\n".join([wanted] * 3)
    assert sh(daemon, "now", "echo $KEY") == "value"
    assert sh(daemon, "now", "echo mine > /data/f; hostname") == daemon.docker("ps", "-q", "--filter", "name=now")
    assert sh(daemon, "za", "cat /data/f") == "two"
    assert {"now-data", "then-data"} <= set(daemon.docker("volume", "ls", "-q").split())
    with pytest.raises(Failed, match="in use by container then"):
        daemon.zonehost("snapshot", "rm", "za@one")


def test_a_schedule_is_kept_and_snapshots_expire(daemon: Daemon) -> None:
    serve(daemon, "za")
    daemon.zonehost("snapshot", "create", "za@short", "--keep", "2s")
    daemon.zonehost("snapshot", "create", "za", "--every", "1s", "--keep", "2")
    seen: set[str] = set()
    until = time.monotonic() + 30
    while len(seen) < 4 and time.monotonic() < until:
        names = daemon.zonehost("snapshot", "ls", "za").split()
        seen |= {name for name in names if "@auto-" in name}
        time.sleep(0.3)
    assert len(seen) >= 4
    daemon.zonehost("snapshot", "create", "za", "--every", "0")
    listed = daemon.zonehost("snapshot", "ls", "za")
    assert listed.count("@auto-") in (2, 3)
    assert "@short" not in listed


def test_snapshots_survive_a_crash_and_go_with_their_zone(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--pool-size", str(512 << 20))
    daemon.zonehost("bootstrap", "busybox")
    serve(daemon, "za")
    daemon.zonehost("snapshot", "create", "za@one")
    daemon.kill()
    daemon.start()
    assert "za@one" in daemon.zonehost("snapshot", "ls")
    daemon.docker("rm", "-f", "za")
    assert "za@one" not in daemon.zonehost("snapshot", "ls")


def test_a_directory_refuses_by_name(new_daemon: Callable[..., Daemon]) -> None:
    daemon = new_daemon("--storage-driver", "directory")
    daemon.docker("volume", "create", "data")
    with pytest.raises(Failed, match="a snapshot: the storage driver directory does not have it"):
        daemon.zonehost("snapshot", "create", "data@one")
    with pytest.raises(Failed, match="volume option from: the storage driver directory does not have it"):
        daemon.docker("volume", "create", "-o", "from=data", "other")
