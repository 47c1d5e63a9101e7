"""SIGKILL of the daemon at random moments under mixed work: what was acknowledged is true, and nothing is left over."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Callable

from tests.integration.inventory import datasets
from tests.integration.rig import Daemon

CLIENTS = 8


class Client(threading.Thread):
    """One client that runs containers until it is told to end, and remembers what the daemon acknowledged."""

    def __init__(self, daemon: Daemon, number: int, ended: threading.Event) -> None:
        super().__init__(name=f"client-{number}")
        self._daemon, self._number, self._ended = daemon, number, ended
        self._random = random.Random(number)
        self.kept: set[str] = set()
        self.removed: set[str] = set()
        self.wrong: list[str] = []

    def run(self) -> None:
        count = 0
        while not self._ended.is_set():
            count += 1
            name = f"c{self._number}-{count}"
            work = self._random.choice((self._short_run, self._long_run, self._create))
            work(name)

    def _short_run(self, name: str) -> None:
        code = self._random.randrange(1, 100)
        result = self._docker("run", "--rm", "--name", name, "busybox", "sh", "-c", f"exit {code}")
        # The client's own statuses (125, and 1 for a lost connection) say that the daemon went away.
        if result not in (code, 1, 125):
            self.wrong.append(f"{name}: exit {result}, not {code}")

    def _long_run(self, name: str) -> None:
        started = self._docker("run", "-d", "--name", name, "busybox", "sleep", "3600") == 0
        if started and self._docker("rm", "-f", name) == 0:
            self.removed.add(name)

    def _create(self, name: str) -> None:
        if self._docker("create", "--name", name, "busybox", "true") == 0:
            self.kept.add(name)

    def _docker(self, *words: str) -> int:
        done = subprocess.run(["docker", *words], capture_output=True, env=self._daemon.environment, timeout=120)
        return done.returncode


def test_no_acknowledged_container_is_lost_and_no_orphan_is_left(
    own: Daemon, rounds: Callable[[int, int], int], figure: Callable[[str, object], None]
) -> None:
    moments = random.Random(1)
    ended = threading.Event()
    clients = [Client(own, number, ended) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    slowest = 0.0
    kills = rounds(5, 200)
    try:
        for _ in range(kills):
            time.sleep(moments.uniform(0.05, 0.8))
            own.kill()
            began = time.monotonic()
            own.start()
            slowest = max(slowest, time.monotonic() - began)
    finally:
        ended.set()
        for client in clients:
            client.join()
    listed = set(own.docker("ps", "-a", "--format", "{{.Names}}").split())
    assert set().union(*(client.kept for client in clients)) <= listed, "acknowledged containers are lost"
    assert not set().union(*(client.removed for client in clients)) & listed, "removed containers are back"
    assert not [text for client in clients for text in client.wrong]
    own.remove_zones()
    assert datasets(own.instance) == []
    figure("kills", kills)
    figure("slowest start in seconds", round(slowest, 2))
