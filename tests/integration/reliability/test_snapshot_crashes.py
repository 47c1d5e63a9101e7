"""The daemon dies at every point of a snapshot, a rollback and a clone: what is there then is whole."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.inventory import datasets
from tests.integration.reliability.figures import Figure
from tests.integration.rig import COMMAND, Daemon, daemon_with_busybox

pytestmark = pytest.mark.row(1)
VARIABLE = "ZONEHOST_FAILPOINT"
WORK = {
    "snapshot": (("snapshot", "create", "za@two"), ("snapshot", "rm", "za@two")),
    "rollback": (("snapshot", "rollback", "za@one"),),
    "clone": (("clone", "za@one", "zb"),),
}
POINTS = (
    "snapshot.recorded",
    "snapshot.one-taken",
    "snapshot.taken",
    "snapshot.removing",
    "snapshot.one-removed",
    "rollback.recorded",
    "rollback.copied",
    "rollback.exchanged",
    "rollback.copied:2",
    "rollback.exchanged:2",
    "rollback.restored",
    "clone.recorded",
    "clone.one-made",
    "clone.made",
)
RECEIVING = ("receive.whole", "receive.recorded", "receive.one-published", "receive.published", "clone.one-made:2")


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
def test_what_is_there_after_a_crash_is_whole(
    own: Daemon, point: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
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
    began = time.monotonic()
    own.start()
    figure("most seconds to converge", round(time.monotonic() - began, 2))
    assert read(own, "za") == ("one\none" if point.startswith("rollback") else "two\ntwo")
    assert own.docker("ps", "-a", "--format", "{{.Names}}") == "za"
    assert own.docker("volume", "ls", "-q") == "data"
    assert own.zonehost("snapshot", "ls").count("\n") == 2
    own.docker("rm", "-f", "za")
    own.docker("volume", "rm", "data")
    assert datasets(own.instance) == []
    assert own.doctor() == []
    figure("points tried", 1, fold="sum")


def receive(daemon: Daemon, stream: Path) -> int:
    """The exit status of taking it in as the zone `za`."""
    with stream.open("rb") as file:
        words = [str(COMMAND), "receive", "za"]
        return subprocess.run(words, stdin=file, capture_output=True, env=daemon.environment, timeout=60).returncode


@pytest.mark.parametrize("point", RECEIVING)
def test_what_was_received_is_there_whole_or_not_at_all(
    own: Daemon, point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    own.docker("run", "-d", "--name", "za", "-v", "data:/data", "busybox", "sleep", "600")
    own.docker("exec", "za", "sh", "-c", "echo one > /root/f; echo one > /data/f")
    own.zonehost("snapshot", "create", "za@one")
    stream = tmp_path / "stream"
    with stream.open("wb") as file:
        subprocess.run([str(COMMAND), "send", "za@one"], check=True, stdout=file, env=own.environment, timeout=60)
    own.docker("rm", "-f", "za")
    own.docker("volume", "rm", "data")
    own.stop()
    monkeypatch.setenv(VARIABLE, point)
    own.start()
    monkeypatch.delenv(VARIABLE)
    assert receive(own, stream) != 0
    assert own.process is not None
    own.process.wait(10)
    own.process = None
    began = time.monotonic()
    own.start()
    figure("most seconds to converge", round(time.monotonic() - began, 2))
    assert own.doctor() == []
    if own.docker("ps", "-aq"):
        assert read(own, "za") == "one\none"
        own.docker("rm", "-f", "za")
    own.remove_zones()
    assert datasets(own.instance) == []
    assert receive(own, stream) == 0
    assert read(own, "za") == "one\none"
    own.docker("rm", "-f", "za")
    own.remove_zones()
    figure("points tried", 1, fold="sum")
