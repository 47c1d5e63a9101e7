"""Ports that the real CLI publishes, with real traffic: from outside, from the host, and from zones."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tests.integration.network.test_ports import SCTP, TAG, sctp, sctp_from, source_of
from tests.integration.network.world import BRIEFLY, Joined, Place, Street
from tests.integration.rig import Daemon

SLEEP = ("busybox", "sleep", "1000")


@pytest.fixture
def start(daemon: Daemon) -> Iterator[Callable[..., Place]]:
    """Starts containers; gives the network namespace of each."""

    def started(name: str, *words: str) -> Place:
        daemon.docker("run", "-d", "--name", name, *words, *SLEEP)
        return undo.enter_context(closing(Joined(daemon.docker("inspect", "-f", "{{.State.Pid}}", name))))

    with ExitStack() as undo:
        yield started


def port_of(daemon: Daemon, name: str, inner: str = "80/tcp") -> int:
    [told] = json.loads(daemon.docker("inspect", name))
    return int(told["NetworkSettings"]["Ports"][inner][0]["HostPort"])


def is_refused(client: Place, target: str, port: int) -> bool:
    try:
        client.reach(target, port, BRIEFLY).close()
    except OSError:
        return True
    return False


def test_who_reaches_a_port_and_as_whom(daemon: Daemon, street: Street, start: Callable[..., Place]) -> None:
    daemon.docker("network", "create", "--ipv6", "both")
    [told] = json.loads(daemon.docker("network", "inspect", "both"))
    gateways = {config["Gateway"] for config in told["IPAM"]["Config"]}
    web = start("web", "--network", "both", "-p", "80")
    neighbour, stranger = start("neighbour", "--network", "both"), start("stranger")
    port, server = port_of(daemon, "web"), web.serve(80, address="::")

    def source(client: Place, target: str) -> str:
        return source_of(server, client, target, port).removeprefix("::ffff:")

    assert source(street.outside, street.host4) == street.outside4
    assert source(street.outside, street.host6) == street.outside6
    assert source(street.host, street.host4) == street.host4
    assert source(street.host, street.host6) == street.host6
    assert source(street.host, "127.0.0.1") in gateways
    for client in (neighbour, web):
        assert {source(client, street.host4), source(client, street.host6)} == gateways
    assert source(stranger, street.host4) == daemon.docker(
        "inspect", "-f", "{{.NetworkSettings.IPAddress}}", "stranger"
    )
    daemon.docker("rm", "-f", "web")
    assert is_refused(street.outside, street.host4, port) and is_refused(street.host, "127.0.0.1", port)


@pytest.mark.parametrize("family", [4, 6])
def test_a_port_of_one_address_of_the_host(
    daemon: Daemon, street: Street, start: Callable[..., Place], family: int
) -> None:
    daemon.docker("network", "create", "--ipv6", "both")
    mine, other = (street.host4, street.host6) if family == 4 else (street.host6, street.host4)
    written = mine if family == 4 else f"[{mine}]"
    web = start("web", "--network", "both", "-p", f"{written}::80")
    port, server = port_of(daemon, "web"), web.serve(80, address="::")
    assert daemon.docker("port", "web") == f"80/tcp -> {written}:{port}"
    assert source_of(server, street.outside, mine, port).endswith(street.outside4 if family == 4 else street.outside6)
    assert is_refused(street.outside, other, port) and is_refused(street.host, "127.0.0.1", port)


def test_udp_and_sctp(daemon: Daemon, street: Street, start: Callable[..., Place]) -> None:
    zone = start("zone", "-p", "53/udp", "-p", "7/sctp")
    port, server = port_of(daemon, "zone", "53/udp"), zone.serve(53, kind=socket.SOCK_DGRAM)
    for client, target in ((street.outside, street.host4), (street.host, "127.0.0.1"), (zone, street.host4)):
        with client.open_socket(kind=socket.SOCK_DGRAM) as asking:
            asking.sendto(b"ask", (target, port))
            question, back = server.recvfrom(16)
            server.sendto(b"answer", back)
            assert (question, *asking.recvfrom(16)) == (b"ask", b"answer", (target, port))
    port = port_of(daemon, "zone", "7/sctp")
    asking, serving = [place.open_socket(kind=socket.SOCK_RAW, protocol=SCTP) for place in (street.outside, zone)]
    with asking, serving:
        asking.sendto(sctp(5000, port, 0, 1), (street.host4, 0))
        assert sctp_from(serving, 1) == (street.outside4, sctp(5000, 7, 0, 1))
        serving.sendto(sctp(7, 5000, TAG, 2), (street.outside4, 0))
        assert sctp_from(asking, 2) == (street.host4, sctp(port, 5000, TAG, 2))


def test_a_range_of_ports_and_one_that_is_taken(daemon: Daemon, street: Street, start: Callable[..., Place]) -> None:
    at = f"{street.host4}:7000-7002"
    zone = start("zone", "-p", f"{at}:80-82")
    for number in range(3):
        assert source_of(zone.serve(80 + number), street.outside, street.host4, 7000 + number) == street.outside4
    taken = daemon.run("run", "--name", "late", "-p", f"{street.host4}:7001:80", "busybox", "touch", "/was-there")
    assert taken.status == 125
    assert f"Bind for {street.host4}:7001 failed: port is already allocated" in taken.err
    assert daemon.docker("inspect", "-f", "{{.State.Status}} {{.State.StartedAt}}", "late").startswith("created 0001-")
    assert daemon.docker("diff", "late") == ""


def test_connections_outlive_what_happens_to_other_zones(
    daemon: Daemon, street: Street, start: Callable[..., Place]
) -> None:
    web = start("web", "-p", "80")
    server = web.serve(80)
    with street.outside.reach(street.host4, port_of(daemon, "web")) as client, server.accept()[0] as connection:
        for number in range(3):
            start(f"other{number}", "-p", "80")
            client.sendall(b"still ")
            assert connection.recv(16) == b"still "
            daemon.docker("rm", "-f", f"other{number}")
            connection.sendall(b"there")
            assert client.recv(16) == b"there"
