"""A macvlan network by the real CLI, on a link of the test's own."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.rig import Daemon


@pytest.fixture
def parent() -> Iterator[str]:
    """A link of the host that is up and leads to its own other end."""
    name = f"zp{secrets.token_hex(4)}"
    subprocess.run(["ip", "link", "add", name, "up", "type", "veth", "peer", "name", f"{name}p"], check=True)
    subprocess.run(["ip", "link", "set", f"{name}p", "up"], check=True)
    yield name
    subprocess.run(["ip", "link", "delete", name], check=True)


def test_a_macvlan_from_create_to_rm_over_a_restart(daemon: Daemon, parent: str) -> None:
    own = ("--subnet", "10.243.9.0/24", "--gateway", "10.243.9.254", "-o", f"parent={parent}")
    daemon.docker("network", "create", "-d", "macvlan", *own, "flat")
    for name in ("one", "two"):
        daemon.docker("run", "-d", "--name", name, "--network", "flat", "busybox", "sleep", "1000")
    daemon.docker("exec", "one", "ping", "-c", "1", "-W", "5", "two")
    assert "10.243.9.254" in daemon.docker("exec", "one", "ip", "route")
    daemon.stop()
    daemon.start()
    assert daemon.doctor() == []
    daemon.docker("exec", "two", "ping", "-c", "1", "-W", "5", "one")
    refused = daemon.run("network", "create", "-d", "macvlan", "-o", "parent=zh-nowhere", "none-such")
    assert "the interface zh-nowhere does not exist" in refused.err
    daemon.docker("rm", "-f", "one", "two")
    daemon.docker("network", "rm", "flat")


def test_a_macvlan_speaks_ipv6(daemon: Daemon, parent: str) -> None:
    own = ("--ipv6", "--subnet", "10.243.9.0/24", "--subnet", "fd00:243:9::/64", "-o", f"parent={parent}")
    daemon.docker("network", "create", "-d", "macvlan", *own, "flat")
    for name in ("one", "two"):
        daemon.docker("run", "-d", "--name", name, "--network", "flat", "busybox", "sleep", "1000")
    address = "{{.NetworkSettings.Networks.flat.GlobalIPv6Address}}"
    # Addresses are tentative for a moment (duplicate address detection, RFC 4862).
    two = daemon.docker("inspect", "-f", address, "two")
    daemon.docker("exec", "one", "ping", "-6", "-c", "5", "-A", "-W", "5", two)
    daemon.docker("rm", "-f", "one", "two")
    daemon.docker("network", "rm", "flat")
