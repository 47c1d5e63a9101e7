"""What only a terminal shows: resizing, detach keys, and signals that the client passes on."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.integration.rig import Daemon

SECONDS = 30


@dataclass
class Terminal:
    """The user's side of a terminal, and the command that runs in it."""

    fd: int
    process: subprocess.Popen[bytes]
    seen: bytes = b""

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def expect(self, text: str) -> None:
        """Wait until the terminal has shown `text`; what was shown up to it is forgotten."""
        end = time.monotonic() + SECONDS
        while text.encode() not in self.seen:
            readable, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert readable, f"{text!r} did not come; {self.seen!r} did"
            try:
                self.seen += os.read(self.fd, 65536)
            except OSError:  # EIO: the other side is closed (pty(7))
                raise AssertionError(f"{text!r} did not come; {self.seen!r} did") from None
        self.seen = self.seen.partition(text.encode())[2]


@contextmanager
def terminal(daemon: Daemon, *words: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        ["docker", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=daemon.environment,
        preexec_fn=_control_terminal,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(ours, process)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _control_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_terminal_has_the_users_size_and_follows_it(daemon: Daemon) -> None:
    # docker 20.10 tells the size only after the start
    script = (
        "until [ \"$(stty size)\" = '24 80' ]; do sleep 0.05; done; trap 'echo resized-$(stty size); exit 6' WINCH; "
        "echo armed; while :; do sleep 0.05; done"
    )
    with terminal(daemon, "run", "--rm", "-it", "busybox", "sh", "-c", script) as shell:
        shell.expect("armed")
        shell.resize(40, 123)
        shell.expect("resized-40 123")
        assert shell.process.wait(SECONDS) == 6


def test_detach_keys_leave_the_container_running(daemon: Daemon) -> None:
    with terminal(daemon, "run", "--name", "kept", "-it", "busybox", "sh") as shell:
        shell.type("echo here-$((1 + 1))\n")
        shell.expect("here-2")
        shell.type("\x10\x11")
        shell.process.wait(SECONDS)
    assert daemon.docker("inspect", "-f", "{{.State.Running}}", "kept") == "true"
    with terminal(daemon, "attach", "kept") as shell:
        shell.type("echo again-$((1 + 2))\n")
        shell.expect("again-3")
        shell.type("exit 7\n")
        assert shell.process.wait(SECONDS) == 7


def test_own_detach_keys_are_obeyed(daemon: Daemon) -> None:
    with terminal(daemon, "run", "--name", "kept", "--detach-keys", "ctrl-x,x", "-it", "busybox", "sh") as shell:
        shell.type("echo here-$((1 + 1))\n")
        shell.expect("here-2")
        shell.type("\x18x")
        shell.process.wait(SECONDS)
    assert daemon.docker("inspect", "-f", "{{.State.Running}}", "kept") == "true"


def test_control_c_interrupts_the_process_inside(daemon: Daemon) -> None:
    with terminal(
        daemon, "run", "--rm", "-it", "--init", "busybox", "sh", "-c", "echo go-$((1+1)); sleep 600"
    ) as shell:
        shell.expect("go-2")
        shell.type("\x03")
        assert shell.process.wait(SECONDS) == 130


def test_exec_resizes_too(daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "host", "busybox", "sleep", "600")
    with terminal(daemon, "exec", "-it", "host", "sh") as shell:
        shell.type("until stty size 2>/dev/null; do sleep 0.05; done\n")  # docker 20.10 tells the size after the start
        shell.expect("24 80\r\n")
        shell.resize(50, 90)
        shell.type("until [ \"$(stty size)\" = '50 90' ]; do sleep 0.05; done; echo big-$((1 + 1))\n")
        shell.expect("big-2")
        shell.type("exit 3\n")
        assert shell.process.wait(SECONDS) == 3


@contextmanager
def _client(daemon: Daemon, *words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(["docker", *words], stdout=subprocess.PIPE, text=True, env=daemon.environment) as client:
        try:
            yield client
        finally:
            client.kill()


def test_signals_to_the_client_reach_the_process(daemon: Daemon) -> None:
    script = "trap 'echo got; exit 42' USR1; echo ready; while :; do sleep 0.05; done"
    with _client(daemon, "run", "--rm", "busybox", "sh", "-c", script) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        client.send_signal(signal.SIGUSR1)
        assert client.stdout.readline() == "got\n"
        assert client.wait(SECONDS) == 42


def test_sig_proxy_can_be_refused(daemon: Daemon) -> None:
    script = "trap 'echo term' TERM; trap 'echo usr' USR1; echo ready; while :; do sleep 0.05; done"
    with _client(daemon, "run", "--name", "deaf", "--sig-proxy=false", "busybox", "sh", "-c", script) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "ready\n"
        client.send_signal(signal.SIGTERM)  # which ends a client of docker 20.10, and no later one
        daemon.docker("kill", "--signal", "USR1", "deaf")
        with subprocess.Popen(
            ["docker", "logs", "--follow", "deaf"], stdout=subprocess.PIPE, text=True, env=daemon.environment
        ) as logs:
            assert logs.stdout is not None
            assert [logs.stdout.readline() for _ in range(2)] == ["ready\n", "usr\n"]
            logs.kill()
