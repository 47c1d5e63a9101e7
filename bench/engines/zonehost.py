"""zonehost itself, started as the tests start it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

from bench.engines.engine import PROC, SECONDS, Engine
from bench.engines.isolation import Isolation
from bench.engines.run_folder import run_top
from tests.integration.rig import COMMAND, Daemon
from zonehost.cli.endpoint import Endpoint
from zonehost.linux.netlink import entered

FORK_SERVER = "zonehost.linux.forkloop"


class Zonehost(Engine):
    """The daemon with its defaults, in a network namespace as the others are.

    What it leaves in the kernel at the end fails the bench.
    """

    name = "zonehost"

    def start(self) -> None:
        self._isolation = Isolation("zonehost")
        self._daemon = Daemon.make(top=run_top())
        with self._entered():
            self._daemon.start()

    def stop(self) -> None:
        with self._entered():
            self._daemon.close()
        self._isolation.close()

    @contextmanager
    def _entered(self) -> Iterator[None]:
        """What is started here is in the engine's network namespace, and in no other of its namespaces."""
        netns = os.open(self.netns, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with entered(netns):
                yield
        finally:
            os.close(netns)

    def argv(self, *words: str) -> list[str]:
        return ["docker", *words]

    @property
    def environment(self) -> dict[str, str]:
        return self._daemon.environment

    @property
    def endpoint(self) -> Path:
        return self._daemon.endpoint

    @property
    def netns(self) -> Path:
        return self._isolation.netns

    @property
    def marks(self) -> Sequence[str]:
        instance = self._daemon.instance
        return (instance.name, *instance.folders)

    def zonehost(self, *words: str, output: Path | None = None) -> None:
        """Do `zonehost words`, which must succeed; what it writes goes to a file, if one is given."""
        with open(output or os.devnull, "wb") as file:
            done = subprocess.run(
                [COMMAND, *words], stdout=file, stderr=subprocess.PIPE, env=self.environment, timeout=SECONDS
            )
        if done.returncode != 0:
            raise RuntimeError(f"zonehost {' '.join(words)}: exit {done.returncode}\n{done.stderr.decode()}")

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One call of the API; the answer's JSON."""
        return Endpoint(f"unix://{self.endpoint}").call(method, path, body)

    def pool_used(self) -> int:
        """Bytes of the pool that are in use, once what was written is there and what was removed is gone."""
        before = -1
        while (used := self._pool_used_now()) != before:
            before = used
            sleep(1)
        return used

    def _pool_used_now(self) -> int:
        os.sync()
        self.zonehost("pool", "trim")
        used: int = self.call("GET", "/zonehost/v1/pool")["Used"]
        return used

    def processor_time(self) -> float:
        """Seconds that the daemon has run, in all its threads, by the scheduler's count."""
        assert self._daemon.process is not None
        threads = PROC / str(self._daemon.process.pid) / "task"
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads.iterdir()) / 1e9

    def _processes(self) -> Iterator[Path]:
        """The fork server and its jobs too, whose arguments name no instance."""
        yield from super()._processes()
        assert self._daemon.process is not None
        for server in _forked(PROC / str(self._daemon.process.pid)):
            yield server
            yield from _forked(server)


def _forked(process: Path) -> Iterator[Path]:
    """The children of a process that are the fork server's program."""
    try:
        for child in (process / "task" / process.name / "children").read_text().split():
            if FORK_SERVER in (PROC / child / "cmdline").read_text():
                yield PROC / child
    except OSError:  # it ended meanwhile
        return
