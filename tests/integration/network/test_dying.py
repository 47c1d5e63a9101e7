"""Zones that die while they are being connected, disconnected or published; the real daemon, many times over."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.rig import Daemon, Result

TIMES = 12


@pytest.fixture
def networks(daemon: Daemon) -> tuple[str, str]:
    for name in ("first", "second"):
        daemon.docker("network", "create", name)
    return ("first", "second")


def at_once(daemon: Daemon, *commands: tuple[str, ...]) -> list[Result]:
    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(lambda words: daemon.run(*words), commands))


def state(daemon: Daemon, name: str) -> tuple[bool, set[str]]:
    """Whether it runs, and its networks."""
    [told] = json.loads(daemon.docker("inspect", name))
    return told["State"]["Running"], set(told["NetworkSettings"]["Networks"])


def test_a_zone_dies_while_it_is_being_connected(daemon: Daemon, networks: tuple[str, str]) -> None:
    daemon.docker("create", "--name", "dying", "--network", "first", "busybox", "sleep", "1000")
    for _ in range(TIMES):
        daemon.docker("start", "dying")
        killed, connected = at_once(daemon, ("kill", "dying"), ("network", "connect", "second", "dying"))
        assert killed.status == 0, killed.err
        daemon.docker("wait", "dying")
        # Either it was connected, alive or dead, or it was told that this could not be done.
        assert state(daemon, "dying") == (False, {"first", "second"} if connected.status == 0 else {"first"})
        daemon.docker("start", "dying")
        links = daemon.docker("exec", "dying", "ls", "/sys/class/net").split()
        assert links == (["eth0", "eth1", "lo"] if connected.status == 0 else ["eth0", "lo"])
        daemon.docker("kill", "dying")
        daemon.run("network", "disconnect", "second", "dying")


def test_a_zone_dies_while_it_is_being_disconnected(daemon: Daemon, networks: tuple[str, str]) -> None:
    daemon.docker("create", "--name", "dying", "--network", "first", "busybox", "sleep", "1000")
    for _ in range(TIMES):
        daemon.docker("network", "connect", "second", "dying")
        daemon.docker("start", "dying")
        _, left = at_once(daemon, ("kill", "dying"), ("network", "disconnect", "second", "dying"))
        daemon.docker("wait", "dying")
        assert state(daemon, "dying") == (False, {"first"} if left.status == 0 else {"first", "second"})
        daemon.run("network", "disconnect", "second", "dying")
    daemon.docker("rm", "dying")
    daemon.docker("network", "rm", *networks)


def test_a_zone_that_ends_at_once_gives_its_port_to_the_next(daemon: Daemon) -> None:
    taken = daemon.docker("run", "-d", "--name", "holder", "-p", "127.0.0.1::80", "busybox", "sleep", "1000")
    port = daemon.docker("port", taken, "80").rpartition(":")[2]
    daemon.docker("rm", "-f", "holder")
    for _ in range(TIMES):
        assert daemon.docker("run", "--rm", "-p", f"127.0.0.1:{port}:80", "busybox", "true") == ""
    daemon.docker("run", "-d", "--name", "last", "-p", f"127.0.0.1:{port}:80", "busybox", "sleep", "1000")
    assert daemon.run("run", "--rm", "-p", f"127.0.0.1:{port}:80", "busybox", "true").status == 125
