"""Somebody flushes the firewall or deletes the bridge under running zones: seconds until connections work again.

A zone that asks another by its name all the time, and a connection to a published port, say when they work.
"""

from __future__ import annotations

import hashlib
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.integration.reliability.figures import Figure
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(5)
PATIENCE = 20.0
"""Seconds after which it is broken for good."""
SERVER = "while true; do echo served | nc -l -p 80; done"


def works(daemon: Daemon, port: int) -> bool:
    """Whether a neighbour reaches the server by its name, and the host its published port."""
    inner = daemon.run("exec", "client", "sh", "-c", "nc -w 1 server 80 < /dev/null", timeout=20)
    if inner.out != "served\n":
        return False
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        return connection.recv(16) == b"served\n"
    return False


def broken_for(daemon: Daemon, port: int) -> float:
    """Seconds from now until it works; looked at again and again, for that is what a client does."""
    began = time.monotonic()
    while not works(daemon, port):
        assert time.monotonic() - began < PATIENCE, "it stays broken"
    return time.monotonic() - began


def damages(daemon: Daemon, network: str) -> dict[str, list[str]]:
    """What somebody does, by name."""
    mark = hashlib.sha256(daemon.instance.name.encode()).hexdigest()[:5]
    table = f"zonehost-{daemon.instance.name}"
    return {
        "flushed table": ["nft", "flush", "table", "inet", table],
        "deleted table": ["nft", "delete", "table", "inet", table],
        "deleted bridge": ["ip", "link", "delete", f"zb{mark}{network[:8]}"],
    }


def rules(daemon: Daemon) -> list[str]:
    """All elements and rules of the instance; those of another kind of table are not touched here."""
    table = f"zonehost-{daemon.instance.name}"
    done = subprocess.run(
        ["nft", "--stateless", "list", "table", "inet", table], check=True, capture_output=True, text=True, timeout=20
    )
    return sorted(done.stdout.splitlines())


def test_connections_come_back_and_nothing_stale_stays(
    own: Daemon, rounds: Callable[[int, int], int], figure: Figure
) -> None:
    network = own.docker("network", "create", "net")
    own.docker(
        *("run", "-d", "--name", "server", "--network", "net", "-p", "127.0.0.1::80"), "busybox", "sh", "-c", SERVER
    )
    own.docker("run", "-d", "--name", "client", "--network", "net", "busybox", "sleep", "3600")
    port = int(own.docker("port", "server", "80").rpartition(":")[2])
    broken_for(own, port)
    figure("seconds of a look at what works", round(broken_for(own, port), 2))
    before = rules(own)
    for name, command in damages(own, network).items():
        for _ in range(rounds(1, 10)):
            subprocess.run(command, check=True, timeout=20)
            figure(f"most seconds broken by a {name}", round(broken_for(own, port), 2))
            assert own.doctor() == []
    assert rules(own) == before
    figure("stale elements", 0)
