"""A real daemon under test, and the real `docker` command pointed at it.

Owns the start, the readiness and the end of a daemon, and the running of the CLI. Knows nothing of single tests, and of
zonehost only its command line: it is started as a user would start it.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.inventory import Instance, datasets, holdings
from zonehost.linux import libc

COMMAND = Path(__file__).parents[2] / ".venv" / "bin" / "zonehost"
START_SECONDS = 60
STOP_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Result:
    """How one run of a command ended."""

    command: str
    status: int
    out: str
    err: str


class Failed(AssertionError):
    """A command of the rig did not end with status 0."""


@dataclass
class Daemon:
    """One instance of zonehost: its folders outlive its process, which can be stopped, killed and started again."""

    instance: Instance
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    command: Path = COMMAND
    variables: dict[str, str] = field(default_factory=dict)
    """Of the daemon's own environment, besides this process's; `environment` is the clients'."""

    @classmethod
    def make(cls, *options: str, top: Path = Path("/run")) -> Daemon:
        """An instance with new, empty folders. The run root is short: a socket's path has 107 bytes (unix(7))."""
        name = f"test-{secrets.token_hex(4)}"
        data_root = Path(tempfile.mkdtemp(prefix="zh-", dir="/var/tmp"))
        run_root = Path(tempfile.mkdtemp(prefix="zh-", dir=top))
        config = run_root / "docker-config"
        config.mkdir()
        daemon = cls(Instance(name, data_root, run_root), options)
        daemon.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")},
            "DOCKER_HOST": f"unix://{daemon.endpoint}",
            "DOCKER_CONFIG": str(config),
            "DOCKER_CLI_HINTS": "false",
            "DOCKER_BUILDKIT": "0",
        }
        return daemon

    @property
    def endpoint(self) -> Path:
        return self.instance.run_root / "docker.sock"

    @property
    def log(self) -> Path:
        return self.instance.run_root / "daemon.log"

    def start(self, spawned: threading.Event | None = None) -> None:
        """Start the daemon and return when it says that it is ready (sd_notify(3)).

        `spawned` is set as soon as there is a process.
        """
        # A fork server of an earlier test made this process a subreaper: it would get a killed daemon's orphans, bury
        # none, and no pid namespace that they were in could end (pid_namespaces(7)).
        libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 0)
        notify = self.instance.run_root / "notify"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, self.log.open("ab") as log:
            ready.bind(str(notify))
            self.process = subprocess.Popen(
                [
                    str(self.command),
                    "serve",
                    *("--data-root", str(self.instance.data_root)),
                    *("--run-root", str(self.instance.run_root)),
                    *("--name", self.instance.name),
                    *("--host", f"unix://{self.endpoint}"),
                    *self.options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.variables, "NOTIFY_SOCKET": str(notify)},
                start_new_session=True,
            )
            if spawned is not None:
                spawned.set()
            self._wait_ready(ready, self.process)

    def _wait_ready(self, ready: socket.socket, process: subprocess.Popen[bytes]) -> None:
        ended = os.pidfd_open(process.pid)
        try:
            while True:
                readable, _, _ = select.select([ready.fileno(), ended], [], [], START_SECONDS)
                if ready.fileno() in readable:
                    if b"READY=1" in ready.recv(4096):
                        return
                    continue
                why = "ended" if readable else f"was not ready after {START_SECONDS} s"
                process.kill()
                process.wait()
                self.process = None
                raise Failed(f"the daemon {why}:\n{self.log.read_text()}")
        finally:
            os.close(ended)

    def stop(self) -> int:
        """Ask the daemon to end, as systemd does; its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the daemon as a crash would."""
        self._end(signal.SIGKILL)

    def _end(self, sign: signal.Signals) -> int:
        assert self.process is not None, "the daemon is not running"
        self.process.send_signal(sign)
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed(
                f"the daemon did not end {STOP_SECONDS} s after {sign.name}:\n{self.log.read_text()}"
            ) from None
        self.process = None
        return status

    def run(self, *words: str, stdin: str | bytes = b"", timeout: float = 120, cwd: Path | None = None) -> Result:
        """Run `docker` with `words`, whatever its exit status."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            ["docker", *words], input=given, capture_output=True, env=self.environment, timeout=timeout, cwd=cwd
        )
        text = (done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        return Result(" ".join(("docker", *words)), done.returncode, *text)

    def docker(self, *words: str, stdin: str | bytes = b"", timeout: float = 120, cwd: Path | None = None) -> str:
        """Run `docker` with `words`, which must succeed; its output without the last newline."""
        result = self.run(*words, stdin=stdin, timeout=timeout, cwd=cwd)
        if result.status != 0:
            raise Failed(f"{result.command}: exit {result.status}\n{result.out}{result.err}")
        return result.out.removesuffix("\n")

    def zonehost(self, *words: str, timeout: float = 900) -> str:
        """Run the `zonehost` command against this daemon; its output."""
        done = subprocess.run(
            [str(self.command), *words], capture_output=True, text=True, env=self.environment, timeout=timeout
        )
        if done.returncode != 0:
            raise Failed(f"zonehost {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def keeper(self, zone: str) -> int:
        """The pid of a running zone's keeper."""
        (keeper,) = json.loads(self.zonehost("zone", "show", zone, "--json"))["keeper"]
        return int(keeper["pid"])

    def doctor(self) -> list[dict[str, str]]:
        """What `zonehost doctor` says is wrong, asked by the socket, whatever else a test has its clients use."""
        done = subprocess.run(
            [str(COMMAND), "doctor", "--json"],
            capture_output=True,
            text=True,
            env=self.environment | {"DOCKER_HOST": f"unix://{self.endpoint}"},
            timeout=60,
        )
        if done.stderr:
            raise Failed(f"zonehost doctor: exit {done.returncode}\n{done.stderr}")
        findings: list[dict[str, str]] = json.loads(done.stdout)
        assert done.returncode == bool(findings)
        return findings

    def remove_zones(self) -> None:
        """Remove every container, volume and network that a test left."""
        if containers := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *containers)
        if volumes := self.docker("volume", "ls", "--quiet").split():
            self.docker("volume", "rm", "--force", *volumes)
        if networks := self.docker("network", "ls", "--quiet", "--filter", "type=custom").split():
            self.docker("network", "rm", *networks)

    def images(self) -> set[str]:
        """The ids of all images, without those that only a build's steps left."""
        return set(self.docker("images", "--quiet", "--no-trunc").split())

    def remove_images(self, images: set[str]) -> None:
        """Remove images with all their names, and what builds kept."""
        if images:
            self.docker("rmi", "--force", *images)
            self.docker("builder", "prune", "--all", "--force")

    def close(self) -> None:
        """Remove the zones, stop the daemon, and fail where doctor or the kernel still knows anything of the instance.

        A daemon that does not start takes its folders with it, but for the words in the failure.
        """
        if self.process is None:
            try:
                self.start()
            except Failed:
                self.discard()
                raise
        self.remove_zones()
        found = self.doctor()
        left_on_disk = datasets(self.instance)
        status = self.stop()
        left_in_kernel = holdings(self.instance)
        log = self.log.read_text()
        self.discard()
        assert status == 0, f"the daemon ended with status {status}:\n{log}"
        assert not found, f"zonehost doctor: {found}"
        assert not left_on_disk, f"datasets of removed zones: {left_on_disk}"
        assert not left_in_kernel, "left in the kernel:\n" + "\n".join(left_in_kernel)

    def discard(self) -> None:
        """Remove the folders of an instance that no longer runs."""
        for folder in (self.instance.data_root, self.instance.run_root):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def daemon_with_busybox(*options: str) -> Iterator[Daemon]:
    """A running daemon with the image `busybox`; at the end nothing of it may be left."""
    daemon = Daemon.make(*options)
    try:
        daemon.start()
        daemon.zonehost("bootstrap", "busybox")
        yield daemon
    finally:
        daemon.close()
