"""The receiving daemon dies while a stream is cut, continued or cloned: nothing of it is seen, and it can be sent anew.

The points of a receive in one go are in `test_snapshot_crashes`.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.integration.inventory import datasets
from tests.integration.reliability.figures import Figure
from tests.integration.rig import COMMAND, Daemon

pytestmark = pytest.mark.row(1)
VARIABLE = "ZONEHOST_FAILPOINT"
POOL = ("--pool-size", str(512 << 20))
POINTS = ("receive.cut", "receive.resumed", "receive.cloned")


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Daemon, Daemon]]:
    here, there = Daemon.make(*POOL), Daemon.make(*POOL)
    try:
        for daemon in (here, there):
            daemon.start()
            daemon.zonehost("bootstrap", "busybox")
        here.docker("run", "-d", "--name", "web", "-v", "data:/data", "-v", "/anonymous", "busybox", "sleep", "600")
        here.docker("exec", "web", "sh", "-c", "echo one > /root/f; dd if=/dev/urandom of=/data/f bs=1M count=3")
        here.zonehost("snapshot", "create", "web@one")
        yield here, there
    finally:
        here.close()
        there.close()


def send(daemon: Daemon, *words: str) -> bytes:
    return subprocess.run(
        [str(COMMAND), "send", *words], capture_output=True, env=daemon.environment, timeout=60, check=True
    ).stdout


def receive(daemon: Daemon, stream: bytes) -> str:
    done = subprocess.run(
        [str(COMMAND), "receive"], input=stream, capture_output=True, env=daemon.environment, timeout=60
    )
    return (done.stdout + done.stderr).decode().strip()


def crash_at(daemon: Daemon, point: str, stream: bytes, monkeypatch: pytest.MonkeyPatch) -> float:
    """The seconds that the daemon took to come back."""
    daemon.stop()
    monkeypatch.setenv(VARIABLE, point)
    daemon.start()
    monkeypatch.delenv(VARIABLE)
    assert "went away" in receive(daemon, stream)
    assert daemon.process is not None
    daemon.process.wait(10)
    daemon.process = None
    began = time.monotonic()
    daemon.start()
    return time.monotonic() - began


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_leaves_nothing_that_is_seen(
    pair: tuple[Daemon, Daemon], point: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    here, there = pair
    stream = send(here, "web@one")
    cut = stream[: 2 << 20]
    if point == "receive.cut":
        taken = cut
    elif point == "receive.resumed":
        taken = send(here, "--resume", receive(there, cut).split()[-1])
    else:
        taken = stream
    figure("most seconds to converge", round(crash_at(there, point, taken, monkeypatch), 2))
    assert there.docker("ps", "-aq") == there.docker("volume", "ls", "-q") == ""
    assert there.zonehost("snapshot", "ls").count("\n") == 1
    partials = there.zonehost("receive", "--partials").splitlines()
    assert len(partials) == (point == "receive.cut")
    if partials:
        assert receive(there, send(here, "--resume", partials[0].split()[-1])) == "web@one"
    else:
        assert datasets(there.instance) == []
        assert receive(there, stream) == "web@one"
    there.docker("start", "web")
    words = ("exec", "web", "sha256sum", "/data/f", "/root/f")
    assert there.docker(*words) == here.docker(*words)
    there.remove_zones()
    assert datasets(there.instance) == []
    assert there.doctor() == []
    figure("points tried", 1, fold="sum")


def test_a_crash_while_data_come_leaves_nothing(pair: tuple[Daemon, Daemon], figure: Figure) -> None:
    here, there = pair
    stream = send(here, "web@one")
    words = [str(COMMAND), "receive"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=there.environment) as client:
        assert client.stdin is not None and client.stderr is not None
        # Pipes and sockets hold less than half of this: when it is written, data have been applied.
        client.stdin.write(stream[: 3 << 20])
        client.stdin.flush()
        assert any(place.startswith("pool/staging/") for place in datasets(there.instance))
        there.kill()
        client.stdin.close()
        assert client.wait(60) == 1 and client.stderr.read()
    began = time.monotonic()
    there.start()
    figure("most seconds to converge", round(time.monotonic() - began, 2))
    assert datasets(there.instance) == []
    assert there.zonehost("receive", "--partials") == ""
    assert receive(there, stream) == "web@one"
    there.remove_zones()
    assert datasets(there.instance) == []
    assert there.doctor() == []
    figure("points tried", 1, fold="sum")
