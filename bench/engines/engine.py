"""What the bench needs of an engine: to be started and stopped, to run docker's words, and to tell its processes."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

PROC = Path("/proc")
SECONDS = 900


class Engine(ABC):
    """One engine in an instance of its own, that shares nothing with the machine's."""

    name: str

    @abstractmethod
    def start(self) -> None:
        """Start the engine, empty; return when it answers."""

    @abstractmethod
    def stop(self) -> None:
        """Remove all containers, stop the engine and remove its files."""

    @abstractmethod
    def argv(self, *words: str) -> list[str]:
        """The command that does `docker words`."""

    @property
    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The environment for `argv`."""

    @property
    @abstractmethod
    def marks(self) -> Sequence[str]:
        """Texts that stand in the arguments or the cgroup of each process of this instance, and of no other process."""

    @property
    @abstractmethod
    def netns(self) -> Path:
        """The network namespace that is the engine's host."""

    @property
    def plain_registry(self) -> tuple[str, ...]:
        """What `pull` and `push` must be told to speak to a registry on loopback without TLS."""
        return ()

    @property
    def endpoint(self) -> Path | None:
        """The socket of Docker's API, where the engine has one."""
        return None

    def run(self, *words: str, stdin: int | IO[bytes] = subprocess.DEVNULL, stdout: int = subprocess.PIPE) -> str:
        """Do `docker words`, which must succeed; its output."""
        done = subprocess.run(
            self.argv(*words),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=self.environment,
            timeout=SECONDS,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}: {' '.join(words)}: exit {done.returncode}\n{done.stderr.decode()}")
        return (done.stdout or b"").decode().strip()

    def remove(self, containers: Sequence[str]) -> None:
        """Remove these containers at once, running or not."""
        self.run("rm", "--force", "--volumes", *containers)

    def remove_images(self, *names: str) -> None:
        """Remove these images, each with all its names: a push gives it one with a digest."""
        for name in names:
            self.run("rmi", "--force", self.run("image", "inspect", "--format", "{{.Id}}", name))

    def remove_all(self) -> None:
        if containers := self.run("ps", "--all", "--quiet").split():
            self.remove(containers)

    def overhead(self) -> int:
        """Proportional set size, in bytes, of all processes of the instance but the payloads (`sleep`)."""
        return sum(_proportional_set_size(process) for process in self._processes())

    def _processes(self) -> Iterator[Path]:
        for process in PROC.iterdir():
            if not process.name.isdigit():
                continue
            try:
                words = (process / "cmdline").read_text(errors="replace")
                place = (process / "cgroup").read_text()
            except OSError:  # it ended meanwhile
                continue
            if not words.startswith("sleep\0") and any(mark in words or mark in place for mark in self.marks):
                yield process


def _proportional_set_size(process: Path) -> int:
    """In bytes (proc_pid_smaps(5)); 0 for a process that ended meanwhile."""
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
