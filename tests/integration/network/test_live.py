"""Running containers that join and leave networks, and what is refused then; the real CLI."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest

from tests.integration.rig import Daemon


@pytest.fixture
def late(daemon: Daemon) -> str:
    """A network of both families with one container in it, `db`."""
    subnets = ("--subnet", "10.242.10.0/24", "--subnet", "fd00:242:10::/64")
    daemon.docker("network", "create", "--ipv6", *subnets, "late")
    daemon.docker("run", "-d", "--name", "db", "--network", "late", "busybox", "sleep", "1000")
    return "late"


@pytest.fixture
def stranger(daemon: Daemon) -> Iterator[str]:
    """A bridge that somebody else made."""
    name = f"zx{daemon.instance.name[-8:]}"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    yield name
    subprocess.run(["ip", "link", "delete", name], check=True)


def finds(daemon: Daemon, container: str, name: str) -> set[str]:
    """The addresses that a container gets for a name."""
    said = daemon.run("exec", container, "nslookup", name, "127.0.0.11").out
    return {line.split()[-1] for line in said.splitlines() if line.startswith("Address") and ":53" not in line}


def networks(daemon: Daemon, container: str) -> set[str]:
    [told] = json.loads(daemon.docker("inspect", container))
    return set(told["NetworkSettings"]["Networks"])


def test_a_running_container_joins_as_it_is_asked_to(daemon: Daemon, late: str) -> None:
    daemon.docker("run", "-d", "--name", "zone", "busybox", "sleep", "1000")
    own = {"10.242.10.77", "fd00:242:10::77"}
    daemon.docker(
        *("network", "connect", "--ip", "10.242.10.77", "--ip6", "fd00:242:10::77", "--alias", "one", "--alias", "two"),
        *(
            "--link",
            "db:store",
            "--driver-opt",
            "com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1",
        ),
        *(late, "zone"),
    )
    for name in ("zone", "one", "two"):
        assert finds(daemon, "db", name) == own
    assert len(finds(daemon, "zone", "store")) == 2
    assert finds(daemon, "db", "store") == set()
    inside = daemon.docker("exec", "zone", "ip", "-o", "addr", "show", "eth1")
    assert all(f"{address}/" in inside for address in own)
    assert daemon.docker("exec", "zone", "cat", "/proc/sys/net/ipv4/conf/eth1/log_martians") == "1"
    assert own <= set(daemon.docker("exec", "zone", "cat", "/etc/hosts").split())
    daemon.docker("exec", "db", "ping", "-c", "1", "one")
    daemon.docker("network", "disconnect", late, "zone")
    assert finds(daemon, "db", "one") == set()
    assert own.isdisjoint(daemon.docker("exec", "zone", "cat", "/etc/hosts").split())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("--ip", "10.242.10.2"), "Address already in use"),
        (("--ip", "10.9.9.9"), "no configured subnet or ip-range contain the IP address 10.9.9.9"),
        (("--ip6", "10.242.10.9"), "invalid IPv6 address"),
        (("--driver-opt", "com.docker.network.endpoint.speed=9"), "com.docker.network.endpoint.speed"),
    ],
)
def test_what_cannot_be_leaves_the_container_as_it_was(
    daemon: Daemon, late: str, asked: tuple[str, ...], words: str
) -> None:
    daemon.docker("run", "-d", "--name", "zone", "busybox", "sleep", "1000")
    refused = daemon.run("network", "connect", *asked, late, "zone")
    assert refused.status == 1
    assert words in refused.err
    assert networks(daemon, "zone") == {"bridge"}
    assert "eth1" not in daemon.docker("exec", "zone", "ls", "/sys/class/net").split()
    daemon.docker("network", "connect", "--ip", "10.242.10.3", late, "zone")


def test_a_bridge_of_somebody_else_is_not_taken(daemon: Daemon, stranger: str) -> None:
    refused = daemon.run("network", "create", "-o", f"com.docker.network.bridge.name={stranger}", "mine")
    assert f"the interface {stranger} exists already" in refused.err
    assert "mine" not in daemon.docker("network", "ls", "--format", "{{.Name}}").split()


def test_two_containers_share_a_range_of_host_ports(daemon: Daemon) -> None:
    serve = "echo $HOSTNAME >/index.html; httpd -f -p 80 -h /"
    for name in ("one", "two"):
        published = ("-p", "127.0.0.1:23000-23999:80", "--hostname", name)
        daemon.docker("run", "-d", "--name", name, *published, "busybox", "sh", "-c", serve)
    for name in ("one", "two"):
        daemon.docker("exec", name, "sh", "-c", "while ! wget -q -O /dev/null http://127.0.0.1/; do :; done")
        at = daemon.docker("port", name, "80")
        assert 23000 <= int(at.rpartition(":")[2]) <= 23999
        with urllib.request.urlopen(f"http://{at}/", timeout=30) as answer:
            assert answer.read().decode().strip() == name
