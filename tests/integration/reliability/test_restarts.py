"""The daemon ends and comes back beside a TCP stream through a published port and a writer of log lines.

Every byte comes back, every line is in the log once and in order, whether the daemon was asked to end or killed.
"""

from __future__ import annotations

import hashlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable

import pytest

from tests.integration.reliability.client import Local
from tests.integration.reliability.figures import Figure
from tests.integration.reliability.growth import ask
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(6)
WRITER = "n=0; while sleep 0.005; do n=$((n + 1)); echo line $n; done"
ECHO = "nc -ll -p 7 -e cat"


class Stream(threading.Thread):
    """Sends numbered blocks through one connection and compares what comes back, until it is told to end."""

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(name="stream")
        self._connection = socket.create_connection(address, timeout=60)
        self.ended = threading.Event()
        self.sent = 0
        self.lost = 0

    def run(self) -> None:
        while not self.ended.is_set():
            block = hashlib.sha256(str(self.sent).encode()).digest() * 128
            self._connection.sendall(block)
            got = self._connection.recv(len(block), socket.MSG_WAITALL)
            self.sent += len(block)
            self.lost += sum(one != other for one, other in zip(block, got, strict=False)) + len(block) - len(got)
            if len(got) < len(block):
                break
        self._connection.close()


def test_no_byte_and_no_line_is_lost(own: Daemon, rounds: Callable[[int, int], int], figure: Figure) -> None:
    own.docker("run", "-d", "--name", "echo", "-p", "127.0.0.1::7", "busybox", "sh", "-c", ECHO)
    own.docker("run", "-d", "--name", "writer", "busybox", "sh", "-c", WRITER)
    host, _, port = own.docker("port", "echo", "7").rpartition(":")
    pids = [own.docker("inspect", "-f", "{{.State.Pid}}", name) for name in ("echo", "writer")]
    stream = Stream((host, int(port)))
    stream.start()
    restarts = rounds(6, 100)
    try:
        for number in range(restarts):
            if number % 2:
                own.kill()
            else:
                assert own.stop() == 0
            own.start()
        assert [own.docker("inspect", "-f", "{{.State.Pid}}", name) for name in ("echo", "writer")] == pids
    finally:
        stream.ended.set()
        stream.join()
    own.docker("stop", "-t", "0", "writer")
    lines = own.docker("logs", "writer").splitlines()
    wrong = sum(line != f"line {number}" for number, line in enumerate(lines, 1))
    figure("restarts", restarts)
    figure("bytes through the stream", stream.sent)
    figure("bytes lost", stream.lost)
    figure("lines written", len(lines))
    figure("lines lost, doubled or out of order", wrong)
    assert stream.sent
    assert stream.lost == 0
    assert lines
    assert wrong == 0
    assert own.doctor() == []


def test_many_zones_are_found_by_a_daemon_that_comes_back(
    own: Daemon, rounds: Callable[[int, int], int], figure: Figure
) -> None:
    count = rounds(12, 200)
    client = Local(own)
    for _ in range(count):
        made = ask(client, "POST", "/containers/create", {"Image": "busybox", "Cmd": ["sleep", "3600"]})["Id"]
        ask(client, "POST", f"/containers/{made}/start")
    client.close()
    pids = own.docker("inspect", "-f", "{{.State.Pid}}", *own.docker("ps", "-q").split())
    own.kill()
    began = time.monotonic()
    own.start()
    seconds = time.monotonic() - began
    assert own.docker("inspect", "-f", "{{.State.Pid}}", *own.docker("ps", "-q").split()) == pids
    assert len(pids.split()) == count
    assert own.doctor() == []
    figure(f"seconds to find {count} zones", round(seconds, 2))


CLIENTS = (
    (("run", "--name", "own", "busybox", "sh", "-c", "echo on; exec sleep 3600"), 125, "error waiting for container"),
    (("exec", "up", "sh", "-c", "echo on; exec sleep 3600"), 255, ""),
    (("logs", "--follow", "up"), 1, "unexpected EOF"),
    (("events", "--since", "1"), 1, "unexpected EOF"),
    (("attach", "--no-stdin", "up"), 1, "EOF"),
)
"""A client that stays until the daemon goes, its exit status then, and what it says: what `docker` makes of a
connection that is cut off, which it does not take for an end."""


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_every_client_is_cut_off_and_what_it_looked_at_goes_on(own: Daemon, how: str) -> None:
    own.docker("run", "-d", "--name", "up", "busybox", "sh", "-c", "while sleep 0.05; do echo on; done")
    clients = [open_client(own, *words) for words, _, _ in CLIENTS]
    for client in clients:
        assert client.stdout is not None
        assert client.stdout.readline()
    inside = own.docker("top", "up", "-o", "pid,args").count("sleep 3600")
    own.stop() if how == "stop" else own.kill()
    for client, (words, status, message) in zip(clients, CLIENTS, strict=True):
        _, said = client.communicate(timeout=20)
        assert (words, client.returncode) == (words, status), said
        assert message in said, words
    own.start()
    assert own.docker("ps", "--format", "{{.Names}}").split() == ["own", "up"]
    assert own.docker("top", "up", "-o", "pid,args").count("sleep 3600") == inside == 1
    assert own.docker("logs", "own") == "on"
    again = open_client(own, "attach", "--no-stdin", "up")
    assert again.stdout is not None
    assert again.stdout.readline() == "on\n"
    own.docker("kill", "up")
    again.communicate(timeout=20)
    assert again.returncode == 137


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_who_is_attached_hears_the_end_and_can_attach_again(own: Daemon, how: str) -> None:
    own.docker("run", "-d", "-i", "--name", "cat", "busybox", "cat")
    attached = open_client(own, "attach", "cat")
    say(attached, "before")
    following = subprocess.Popen(["docker", "wait", "cat"], env=own.environment, stderr=subprocess.PIPE, text=True)
    own.stop() if how == "stop" else own.kill()
    for client in (attached, following):
        _, words = client.communicate(timeout=20)
        assert client.returncode != 0
        assert "EOF" in words or "connect" in words, words
    own.start()
    again = open_client(own, "attach", "cat")
    say(again, "after")
    own.docker("rm", "-f", "cat")
    again.communicate(timeout=20)


def open_client(daemon: Daemon, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["docker", *words],
        env=daemon.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def say(client: subprocess.Popen[str], line: str) -> None:
    """Give `cat` a line, and read it back."""
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(f"{line}\n")
    client.stdin.flush()
    assert client.stdout.readline() == f"{line}\n"
