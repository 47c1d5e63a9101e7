"""The receiving daemon dies at every point of a receive: nothing of it is seen, and it can be sent again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.inventory import datasets
from tests.integration.rig import COMMAND, Daemon

VARIABLE = "ZONEHOST_FAILPOINT"
POOL = ("--pool-size", str(512 << 20))
POINTS = ("receive.cut", "receive.resumed", "receive.whole", "receive.recorded", "receive.published", "receive.cloned")


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


def crash_at(daemon: Daemon, point: str, stream: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon.stop()
    monkeypatch.setenv(VARIABLE, point)
    daemon.start()
    monkeypatch.delenv(VARIABLE)
    assert "went away" in receive(daemon, stream)
    assert daemon.process is not None
    daemon.process.wait(10)
    daemon.process = None
    daemon.start()


@pytest.mark.parametrize("point", POINTS)
def test_a_crash_leaves_nothing_that_is_seen(
    pair: tuple[Daemon, Daemon], point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = pair
    stream = send(here, "web@one")
    cut = stream[: 2 << 20]
    if point == "receive.cut":
        crash_at(there, point, cut, monkeypatch)
    elif point == "receive.resumed":
        crash_at(there, point, send(here, "--resume", receive(there, cut).split()[-1]), monkeypatch)
    else:
        crash_at(there, point, stream, monkeypatch)
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
