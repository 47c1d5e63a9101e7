"""Docker from Debian's packages: a dockerd and a containerd of their own, in a network namespace of their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.engines.engine import Engine
from bench.engines.isolation import Isolation

READY = "API listen on"


class Docker(Engine):
    """dockerd with its defaults, except for where it keeps its files."""

    name = "Docker"

    def start(self) -> None:
        self._isolation = Isolation("docker")
        folder = self._isolation.folder
        self._daemon = subprocess.Popen(
            self._isolation.argv(
                "dockerd",
                *("--data-root", str(folder / "data")),
                *("--exec-root", str(self._isolation.run_folder)),
                *("--pidfile", str(folder / "pid")),
                *("--host", f"unix://{self.endpoint}"),
                *("--cgroup-parent", f"/{folder.name}"),
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._wait_ready()

    def _wait_ready(self) -> None:
        assert self._daemon.stderr is not None
        told = ""
        for line in self._daemon.stderr:
            told += line
            if READY in line:
                break
        else:
            raise RuntimeError(f"dockerd did not start:\n{told}")
        # Nobody reads the log from here on, and a full pipe would stop dockerd.
        self._reader = subprocess.Popen(["cat"], stdin=self._daemon.stderr, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        self.remove_all()
        self._daemon.terminate()
        self._daemon.wait()
        self._reader.wait()
        self._isolation.close()

    def argv(self, *words: str) -> list[str]:
        return ["docker", *words]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "DOCKER_HOST": f"unix://{self.endpoint}", "DOCKER_CONFIG": str(self._isolation.folder)}

    @property
    def endpoint(self) -> Path:
        return self._isolation.folder / "docker.sock"

    @property
    def netns(self) -> Path:
        return self._isolation.netns

    @property
    def marks(self) -> Sequence[str]:
        return (str(self._isolation.run_folder), str(self._isolation.folder))
