"""What the daemon's configuration says of networks, and what is left when there are no addresses; the real CLI."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.rig import Daemon

pytestmark = pytest.mark.xdist_group("small-pools")
"""The daemons of two test processes would take the same subnets from each other."""


@pytest.fixture
def small(new_daemon: Callable[..., Daemon]) -> Daemon:
    """A daemon with two subnets to give, whose ports answer on the loopback only."""
    daemon = new_daemon("--publish", "loopback", "--default-address-pool", "base=10.241.6.0/23,size=24")
    daemon.zonehost("bootstrap", "busybox")
    return daemon


def test_pools_and_addresses_that_are_exhausted(small: Daemon) -> None:
    subnet = "{{(index .IPAM.Config 0).Subnet}}"
    assert small.docker("network", "inspect", "-f", subnet, "bridge") == "10.241.6.0/24"
    small.docker("network", "create", "last")
    assert small.docker("network", "inspect", "-f", subnet, "last") == "10.241.7.0/24"
    refused = small.run("network", "create", "more")
    assert "all predefined address pools have been fully subnetted" in refused.err
    small.docker("network", "create", "--subnet", "10.242.7.0/30", "tiny")
    small.docker("run", "-d", "--network", "tiny", "busybox", "sleep", "1000")
    refused = small.run("run", "--rm", "--network", "tiny", "busybox", "true")
    assert refused.status == 125
    assert "no available IPv4 addresses on this network's address pools: tiny" in refused.err
    small.docker("network", "rm", "last")
    small.docker("network", "create", "more")


def test_ports_that_name_no_address_answer_on_loopback_only(small: Daemon) -> None:
    small.docker("run", "-d", "--name", "web", "-p", "80", "-p", "0.0.0.0::81", "busybox", "sleep", "1000")
    ports = dict(line.split(" -> ") for line in small.docker("port", "web").splitlines())
    assert {port: at.rpartition(":")[0] for port, at in ports.items()} == {"80/tcp": "127.0.0.1", "81/tcp": "0.0.0.0"}


def test_the_default_route_goes_by_priority(daemon: Daemon) -> None:
    if "--gw-priority" not in daemon.docker("network", "connect", "--help"):
        pytest.skip("this docker command is older than --gw-priority")
    daemon.docker("network", "create", "--subnet", "10.242.8.0/24", "low")
    daemon.docker("network", "create", "--subnet", "10.242.9.0/24", "high")
    networks = ("--network", "low", "--network", "name=high,gw-priority=1")
    daemon.docker("run", "-d", "--name", "zone", *networks, "busybox", "sleep", "1000")

    def route() -> str:
        return daemon.docker("exec", "zone", "sh", "-c", "ip route | grep default").split()[2]

    assert route() == "10.242.9.1"
    daemon.docker("network", "disconnect", "high", "zone")
    assert route() == "10.242.8.1"
    daemon.docker("network", "connect", "--gw-priority", "-1", "high", "zone")
    assert route() == "10.242.8.1"
