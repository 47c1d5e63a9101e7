"""What a zone of the real CLI cannot do, whatever it may do inside: be another, and reach another network's zones."""

from __future__ import annotations

from tests.integration.rig import Daemon

SLEEP = ("busybox", "sleep", "1000")


def address(daemon: Daemon, name: str, network: str) -> str:
    return daemon.docker("inspect", "-f", f"{{{{.NetworkSettings.Networks.{network}.IPAddress}}}}", name)


def reaches(daemon: Daemon, name: str, target: str, *words: str) -> bool:
    return daemon.run("exec", name, "ping", "-c", "1", "-W", "1", *words, target).status == 0


def test_a_zone_that_may_change_its_links_stays_who_it_is(daemon: Daemon) -> None:
    daemon.docker("network", "create", "--subnet", "10.244.0.0/24", "town")
    daemon.docker("run", "-d", "--name", "victim", "--network", "town", *SLEEP)
    daemon.docker("run", "-d", "--name", "liar", "--network", "town", "--cap-add", "NET_ADMIN", *SLEEP)
    victim = address(daemon, "victim", "town")
    mac = daemon.docker("exec", "liar", "cat", "/sys/class/net/eth0/address")
    assert reaches(daemon, "liar", victim)
    daemon.docker("exec", "liar", "ip", "addr", "add", "10.244.0.99/24", "dev", "eth0")
    assert not reaches(daemon, "liar", victim, "-I", "10.244.0.99")
    for own, reached in (("02:42:00:00:00:99", False), (mac, True)):
        daemon.docker("exec", "liar", "ip", "link", "set", "eth0", "address", own)
        assert reaches(daemon, "liar", victim) is reached


def test_networks_are_apart_until_a_zone_joins(daemon: Daemon) -> None:
    for network in ("one", "two"):
        daemon.docker("network", "create", network)
        daemon.docker("run", "-d", "--name", f"in-{network}", "--network", network, *SLEEP)
    other = address(daemon, "in-two", "two")
    assert not reaches(daemon, "in-one", other)
    daemon.docker("network", "connect", "two", "in-one")
    assert reaches(daemon, "in-one", other)
    daemon.docker("network", "disconnect", "two", "in-one")
    assert not reaches(daemon, "in-one", other)


def test_an_internal_network_leads_nowhere(daemon: Daemon) -> None:
    daemon.docker("network", "create", "town")
    daemon.docker("network", "create", "--internal", "inside")
    for network in ("town", "inside"):
        daemon.docker("run", "-d", "--name", f"in-{network}", "--network", network, *SLEEP)
    daemon.docker("run", "-d", "--name", "mate", "--network", "inside", *SLEEP)
    host = daemon.docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "bridge")
    assert reaches(daemon, "in-town", host)
    assert not reaches(daemon, "in-inside", host)
    assert reaches(daemon, "in-inside", "mate")
