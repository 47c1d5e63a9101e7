"""Podman from Debian's packages, in a network namespace of its own. It has no daemon."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bench.engines.engine import Engine
from bench.engines.isolation import Isolation


class Podman(Engine):
    """Podman with its defaults, except for where it keeps its files and that it does not speak to systemd."""

    name = "Podman"

    def start(self) -> None:
        self._isolation = Isolation("podman")
        self._settings.write_text('[containers]\ndefault_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]\n')

    def stop(self) -> None:
        self.remove_all()
        self._isolation.close()

    def remove(self, containers: Sequence[str]) -> None:
        """Podman would first ask each to end, and wait for ten seconds."""
        self.run("rm", "--force", "--time", "0", "--volumes", *containers)

    def argv(self, *words: str) -> list[str]:
        folder = self._isolation.folder
        return self._isolation.argv(
            "podman",
            *("--root", str(folder / "data"), "--runroot", str(self._isolation.run_folder)),
            *("--tmpdir", str(self._isolation.run_folder / "tmp")),
            *("--cgroup-manager", "cgroupfs", "--events-backend", "file"),
            *words,
        )

    @property
    def plain_registry(self) -> tuple[str, ...]:
        return ("--tls-verify=false",)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CONTAINERS_CONF": str(self._settings)}

    @property
    def _settings(self) -> Path:
        """Podman's own default limits are above what a machine without CAP_SYS_RESOURCE may set."""
        return self._isolation.folder / "containers.conf"

    @property
    def netns(self) -> Path:
        return self._isolation.netns

    @property
    def marks(self) -> Sequence[str]:
        return (str(self._isolation.run_folder), str(self._isolation.folder))
