"""`docker-compose` on one project: Debian's 1.29, and Compose v2 as `scripts/docker-plugin` finds it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import pytest

from tests.integration.rig import Daemon

SCRIPT = Path(__file__).parents[2] / "scripts" / "docker-plugin"
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Compose:
    """A program, and the project in a folder; `joint` is what stands between the words of a container's name."""

    program: str
    joint: str
    daemon: Daemon
    folder: Path
    project: str = "stack"

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def container(self, service: str, number: int = 1) -> str:
        return self.joint.join((self.project, service, str(number)))

    def argv(self, *words: str) -> list[str]:
        return [self.program, "--ansi", "never", "--project-name", self.project, *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Whatever its exit status."""
        return subprocess.run(
            self.argv(*words),
            cwd=self.folder,
            env=self.daemon.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def __call__(self, *words: str) -> str:
        """Its output; it must end with status 0."""
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def following(self, *words: str) -> Iterator[Iterator[str]]:
        """The lines of a command that goes on, until the end of the block."""
        with subprocess.Popen(
            self.argv(*words),
            cwd=self.folder,
            env=self.daemon.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as follower:
            assert follower.stdout is not None
            try:
                yield follower.stdout
            finally:
                follower.kill()


def version_one(daemon: Daemon, folder: Path) -> Compose:
    """docker-compose 1.29; the test is skipped where there is none."""
    program = which("docker-compose")
    if program is None:
        pytest.skip("docker-compose 1.29 is not installed")
    said = subprocess.run([program, "version", "--short"], capture_output=True, text=True, timeout=SECONDS).stdout
    if not said.startswith("1."):
        pytest.skip(f"docker-compose is {said.strip()}, not 1.29")
    return Compose(program, "_", daemon, folder)


def version_two(daemon: Daemon, folder: Path) -> Compose:
    """Compose v2; the test is skipped where there is none."""
    found = subprocess.run([SCRIPT, "compose", "--find"], capture_output=True, text=True, timeout=SECONDS)
    if found.returncode:
        pytest.skip("no Compose v2: `scripts/docker-plugin compose` builds it where there is Go")
    return Compose(found.stdout.strip(), "-", daemon, folder)


def address_of_port(compose: Compose, service: str, port: int) -> str:
    """Where a published port answers."""
    said = compose("port", service, str(port)).strip()
    assert re.fullmatch(r"[0-9.]+:\d+", said), said
    return said
