"""SIGKILL of the daemon at random moments under mixed work: what was acknowledged is true, and nothing is left over."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.inventory import datasets
from tests.integration.reliability.client import Answer, Local
from tests.integration.reliability.figures import Figure
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(2)
CLIENTS = 8


class Client:
    """One client that runs containers until it is told to end, and remembers what the daemon acknowledged."""

    def __init__(self, daemon: Daemon, number: int, ended: threading.Event) -> None:
        self._daemon, self._number, self._ended = daemon, number, ended
        self._dice = random.Random(number)
        self._http = Local(daemon)
        self.kept: set[str] = set()
        self.removed: set[str] = set()
        self.codes = 0
        self.wrong: list[str] = []

    def work(self) -> None:
        """Do one thing after the other."""
        count = 0
        while not self._ended.is_set():
            count += 1
            self._dice.choice((self._short_run, self._long_run, self._create))(f"c{self._number}-{count}")
        self._http.close()

    def _short_run(self, name: str) -> None:
        """The exit code is asked for by whoever is there to answer, before or after a kill."""
        code = self._dice.randrange(1, 100)
        if not self._made(name, "sh", "-c", f"exit {code}"):
            return
        if self._said(204, "POST", f"/containers/{name}/start") is None:
            self.kept.add(name)
            return
        while not self._ended.is_set():
            answer = self._said(200, "POST", f"/containers/{name}/wait")
            if answer is not None:
                self.codes += 1
                if answer.body["StatusCode"] != code:
                    self.wrong.append(f"{name}: exit {answer.body['StatusCode']}, not {code}")
                self._remove(name)
                return
        self.kept.add(name)

    def _long_run(self, name: str) -> None:
        if self._made(name, "sleep", "3600"):
            self._said(204, "POST", f"/containers/{name}/start")
            self._remove(name)

    def _create(self, name: str) -> None:
        if self._made(name, "true"):
            if self._dice.random() < 0.2:
                self.kept.add(name)
            else:
                self._remove(name)

    def _remove(self, name: str) -> None:
        """Of a removal without an answer, either may be true."""
        if self._said(204, "DELETE", f"/containers/{name}?force=1") is not None:
            self.removed.add(name)

    def _made(self, name: str, *words: str) -> bool:
        made = {"Image": "busybox", "Cmd": words}
        return self._said(201, "POST", f"/containers/create?name={name}", made) is not None

    def _said(self, wanted: int, method: str, path: str, body: object = None) -> Answer | None:
        """The answer, if there was one and it was this; a moment's wait where nobody answered."""
        try:
            answer = self._http.call(method, path, body)
        except (OSError, http.client.HTTPException):
            self._http.close()
            self._ended.wait(0.02)  # as a client that tries again would
            return None
        return answer if answer.status == wanted else None


def test_no_acknowledged_container_is_lost_and_no_orphan_is_left(
    own: Daemon, rounds: Callable[[int, int], int], figure: Figure
) -> None:
    moments = random.Random(1)
    ended = threading.Event()
    clients = [Client(own, number, ended) for number in range(CLIENTS)]
    slowest = 0.0
    kills = rounds(5, 200)
    with ThreadPoolExecutor(CLIENTS) as pool:
        working = [pool.submit(client.work) for client in clients]
        try:
            for _ in range(kills):
                time.sleep(moments.uniform(0.05, 0.5))
                own.kill()
                began = time.monotonic()
                own.start()
                slowest = max(slowest, time.monotonic() - began)
        finally:
            ended.set()
        for work in working:
            work.result()
    listed = set(own.docker("ps", "-a", "--format", "{{.Names}}").split())
    kept, removed = (set().union(*(getattr(client, what) for client in clients)) for what in ("kept", "removed"))
    wrong = [text for client in clients for text in client.wrong]
    figure("kills", kills)
    figure("exit codes asked for", sum(client.codes for client in clients))
    figure("wrong exit codes", len(wrong))
    figure("acknowledged containers", len(kept) + len(removed))
    figure("acknowledged containers lost", len(kept - listed))
    figure("removed containers back", len(removed & listed))
    figure("slowest start in seconds", round(slowest, 2))
    assert wrong == []
    assert kept <= listed, "acknowledged containers are lost"
    assert not removed & listed, "removed containers are back"
    found = own.doctor()
    figure("orphans", len(found))
    assert found == []
    own.remove_zones()
    assert datasets(own.instance) == []
