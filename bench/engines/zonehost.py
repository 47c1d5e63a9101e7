"""zonehost itself, started as the tests start it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.engines.engine import Engine
from tests.integration.rig import Daemon


class Zonehost(Engine):
    """The daemon with its defaults; what it leaves in the kernel at the end fails the bench."""

    name = "zonehost"

    def start(self) -> None:
        self._daemon = Daemon.make()
        self._daemon.start()

    def stop(self) -> None:
        self._daemon.close()

    def argv(self, *words: str) -> list[str]:
        return ["docker", *words]

    @property
    def environment(self) -> dict[str, str]:
        return self._daemon.environment

    @property
    def endpoint(self) -> Path:
        return self._daemon.endpoint

    @property
    def marks(self) -> Sequence[str]:
        instance = self._daemon.instance
        return (instance.name, *instance.folders)
