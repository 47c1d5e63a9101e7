"""The daemon dies at every point of a snapshot, a rollback and a clone: what is there then is whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.inventory import datasets
from tests.integration.rig import Daemon, daemon_with_busybox

VARIABLE = "ZONEHOST_FAILPOINT"
WORK = {
    "snapshot": (("snapshot", "create", "za@two"), ("snapshot", "rm", "za@two")),
    "rollback": (("snapshot", "rollback", "za@one"),),
    "clone": (("clone", "za@one", "zb"),),
}
POINTS = (
    "snapshot.recorded",
    "snapshot.taken",
    "snapshot.removing",
    "rollback.recorded",
    "rollback.restored",
    "clone.recorded",
    "clone.made",
)


@pytest.fixture(scope="module")
def own() -> Iterator[Daemon]:
    with daemon_with_busybox("--pool-size", str(512 << 20)) as daemon:
        yield daemon


def read(daemon: Daemon, zone: str) -> str:
    daemon.docker("start", zone)
    text = daemon.docker("exec", zone, "sh", "-c", "cat /root/f /data/f")
    daemon.docker("stop", "-t", "0", zone)
    return text


@pytest.mark.parametrize("point", POINTS)
def test_what_is_there_after_a_crash_is_whole(own: Daemon, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own.docker("run", "-d", "--name", "za", "-v", "data:/data", "busybox", "sleep", "600")
    own.docker("exec", "za", "sh", "-c", "echo one > /root/f; echo one > /data/f")
    own.zonehost("snapshot", "create", "za@one")
    own.docker("exec", "za", "sh", "-c", "echo two > /root/f; echo two > /data/f")
    own.docker("stop", "-t", "0", "za")
    own.stop()
    monkeypatch.setenv(VARIABLE, point)
    own.start()
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(AssertionError, match="went away"):
        for words in WORK[point.partition(".")[0]]:
            own.zonehost(*words)
    assert own.process is not None
    own.process.wait(10)
    own.process = None
    own.start()
    assert read(own, "za") == ("one\none" if point.startswith("rollback") else "two\ntwo")
    assert own.docker("ps", "-a", "--format", "{{.Names}}") == "za"
    assert own.docker("volume", "ls", "-q") == "data"
    assert own.zonehost("snapshot", "ls").count("\n") == 2
    own.docker("rm", "-f", "za")
    own.docker("volume", "rm", "data")
    assert datasets(own.instance) == []
