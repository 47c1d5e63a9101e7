"""Names of zones at 127.0.0.11: who is found, by whom, and when; what upstream has; what a dead resolver does."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.network.test_connect import connect, disconnect, with_plugs
from tests.integration.network.world import BRIEFLY, OUTSIDE, SECONDS, Place, World, Zone, address
from zonehost.domain.network import Network
from zonehost.drivers.network.driver import KernelNetworking
from zonehost.drivers.network.resolver import wire
from zonehost.errors import InvalidParameter
from zonehost.linux.netlink import entered

SERVER = ("127.0.0.11", 53)


def ask(place: Place, name: str, kind: int = wire.A, seconds: float = SECONDS) -> tuple[int, list[str]]:
    """The code and the values of an answer by UDP."""
    query = b"\x12\x34\x01\x00\0\1\0\0\0\0\0\0" + wire.name_value(name) + kind.to_bytes(2, "big") + b"\0\1"
    asking = place.open_socket(kind=socket.SOCK_DGRAM)
    asking.settimeout(seconds)
    with asking:
        asking.sendto(query, SERVER)
        answer = asking.recv(4096)
    assert answer[:2] == query[:2]
    return answer[3] & 15, list(_values(answer, len(query)))


def _values(answer: bytes, offset: int) -> Iterator[str]:
    for _ in range(int.from_bytes(answer[6:8], "big")):
        kind, size = (
            int.from_bytes(answer[offset + 2 : offset + 4], "big"),
            int.from_bytes(answer[offset + 10 : offset + 12], "big"),
        )
        value = answer[offset + 12 : offset + 12 + size]
        families = {wire.A: socket.AF_INET, wire.AAAA: socket.AF_INET6}
        yield socket.inet_ntop(families[kind], value) if kind in families else _dotted(value)
        offset += 12 + size


def _dotted(value: bytes) -> str:
    labels = []
    while value[0]:
        labels.append(value[1 : value[0] + 1].decode())
        value = value[value[0] + 1 :]
    return ".".join(labels)


async def named(world: World, net: KernelNetworking, **fields: object) -> Network:
    return await world.network(net, predefined=False, **fields)


async def test_zones_of_a_network_find_each_other_by_every_name(world: World, net: KernelNetworking) -> None:
    network = await named(world, net)
    asking = await world.zone(net, network, names=("client",))
    web = await world.zone(net, network, names=("web", "www", "0123456789ab"))
    for name in ("web", "WWW", "0123456789ab", f"web.{network.name}"):
        assert ask(asking.place, name) == (wire.NO_ERROR, [address(web)])
    assert ask(asking.place, "web", wire.AAAA) == (wire.NO_ERROR, [])
    assert ask(asking.place, "web", 15) == (wire.NO_ERROR, [])
    assert ask(web.place, "client") == (wire.NO_ERROR, [address(asking)])
    reverse = wire.reverse_name(address(web))
    assert ask(asking.place, reverse, wire.PTR) == (wire.NO_ERROR, [f"web.{network.name}"])


async def test_a_zone_that_is_renamed_is_found_by_its_new_name_only(world: World, net: KernelNetworking) -> None:
    network = await named(world, net)
    asking = await world.zone(net, network, names=("client",))
    web = await world.zone(net, network, names=("web", "www"))
    [plug] = web.plugs.plugs
    await net.rename(with_plugs(web.plugs, (dataclasses.replace(plug, names=("site", "www")),)))
    for name in ("site", "www", f"site.{network.name}"):
        assert ask(asking.place, name) == (wire.NO_ERROR, [address(web)])
    assert ask(asking.place, "web")[0] != wire.NO_ERROR
    reverse = wire.reverse_name(address(web))
    assert ask(asking.place, reverse, wire.PTR) == (wire.NO_ERROR, [f"site.{network.name}"])
    await net.detach(web.id)
    await net.rename(web.plugs)
    assert ask(asking.place, "web")[0] != wire.NO_ERROR
    assert net.attached == {asking.id}


async def test_a_zone_with_more_names_than_an_order_holds_is_refused(world: World, net: KernelNetworking) -> None:
    network, other = await named(world, net), await named(world, net)
    asking = await world.zone(net, network, names=("client",))
    many = tuple(f"{n:060}" for n in range(4_000))
    with pytest.raises(InvalidParameter, match="names in its networks have more than 200,000 bytes"):
        await connect(net, world, asking, other, *many)
    web = await world.zone(net, network, names=("web",))
    assert ask(asking.place, "web") == (wire.NO_ERROR, [address(web)])
    assert ask(web.place, "client") == (wire.NO_ERROR, [address(asking)])


async def test_both_families(world: World, net: KernelNetworking) -> None:
    network = await named(world, net, ipv6=True)
    web = await world.zone(net, network, names=("web",))
    own = web.plugs.plugs[0].endpoint
    assert ask(web.place, "web", wire.AAAA) == (wire.NO_ERROR, [own.ipv6])
    assert ask(web.place, wire.reverse_name(own.ipv6), wire.PTR) == (wire.NO_ERROR, [f"web.{network.name}"])


async def test_replicas_are_all_given_each_first_in_turn(world: World, net: KernelNetworking) -> None:
    network = await named(world, net)
    replicas = [await world.zone(net, network, names=(f"app-{n}", "app")) for n in range(3)]
    answers = [ask(replicas[0].place, "app")[1] for _ in range(6)]
    assert {frozenset(answer) for answer in answers} == {frozenset(map(address, replicas))}
    assert {answer[0] for answer in answers} == set(map(address, replicas))
    await net.detach(replicas[1].id)
    assert set(ask(replicas[0].place, "app")[1]) == {address(replicas[0]), address(replicas[2])}


async def test_a_zone_does_not_resolve_what_it_cannot_reach(world: World, net: KernelNetworking) -> None:
    one, two = await named(world, net, internal=True), await named(world, net)
    asking = await world.zone(net, one, names=("client",))
    hidden = await world.zone(net, two, names=("hidden",))
    assert ask(asking.place, "hidden") == (wire.SERVER_FAILURE, [])
    plug = await connect(net, world, asking, two, "client")
    assert ask(asking.place, "hidden") == (wire.NO_ERROR, [address(hidden)])
    assert ask(hidden.place, "client") == (wire.NO_ERROR, [plug.endpoint.ipv4])
    await disconnect(net, asking, plug)
    assert ask(asking.place, "hidden") == (wire.SERVER_FAILURE, [])


async def test_a_zone_of_the_default_network_gets_names_when_it_joins_another(
    world: World, net: KernelNetworking
) -> None:
    zone = await world.zone(net, await world.network(net))
    network = await named(world, net)
    web = await world.zone(net, network, names=("web",))
    await connect(net, world, zone, network, "late")
    assert ask(zone.place, "web") == (wire.NO_ERROR, [address(web)])
    assert ask(web.place, "late") == (wire.NO_ERROR, [zone.plugs.plugs[1].endpoint.ipv4])


async def test_links_are_private_names(world: World, net: KernelNetworking) -> None:
    network = await named(world, net)
    database = await world.zone(net, network, names=("postgres",))
    web = await world.zone(net, network, names=("web",), links=("postgres:db",))
    assert ask(web.place, "db") == (wire.NO_ERROR, [address(database)])
    assert ask(web.place, "postgres") == (wire.NO_ERROR, [address(database)])
    assert ask(database.place, "db")[0] != wire.NO_ERROR


async def test_a_zone_may_serve_port_53_itself(world: World, net: KernelNetworking) -> None:
    network = await named(world, net)
    zone = await world.zone(net, network, names=("dns",))
    zone.place.serve(53)
    zone.place.serve(53, kind=socket.SOCK_DGRAM)
    assert ask(zone.place, "dns") == (wire.NO_ERROR, [address(zone)])


async def test_many_replicas_come_whole_by_tcp(world: World, net: KernelNetworking) -> None:
    network = await named(world, net)
    zones = [await world.zone(net, network, names=("app",)) for _ in range(40)]
    query = b"\x12\x34\x01\x00\0\1\0\0\0\0\0\0" + wire.name_value("app") + b"\0\1\0\1"
    asking = zones[0].place.open_socket(kind=socket.SOCK_DGRAM)
    asking.sendto(query, SERVER)
    short = asking.recv(4096)
    assert len(short) <= wire.PLAIN_SIZE
    assert short[2] & 2
    with zones[0].place.reach(*SERVER) as stream:
        stream.sendall(len(query).to_bytes(2, "big") + query)
        whole = stream.recv(4096)
    assert set(_values(whole[2:], len(query))) == set(map(address, zones))


async def test_it_answers_with_the_daemon_down_and_is_taken_over(world: World, run_root: Path) -> None:
    net = KernelNetworking("test-names", run_root)
    await net.restore((), ())
    network = await named(world, net)
    web = await world.zone(net, network, names=("web",))
    other = await world.zone(net, network, names=("other",))
    await net.close()
    assert ask(web.place, "other") == (wire.NO_ERROR, [address(other)])
    other.place.end()
    again = KernelNetworking("test-names", run_root)
    await again.restore([network], [web.plugs])
    assert ask(web.place, "other")[0] != wire.NO_ERROR
    assert ask(web.place, "web") == (wire.NO_ERROR, [address(web)])
    await again.detach(web.id)
    await again.close()


def resolver_of(run_root: Path) -> int:
    """The process that serves orders at the socket."""
    text = subprocess.run(["ss", "-Hxlp"], capture_output=True, text=True, check=True).stdout
    [line] = [line for line in text.splitlines() if f"{run_root}/resolver.sock" in line]
    return int(line.rpartition("pid=")[2].partition(",")[0])


async def test_a_resolver_that_dies_is_replaced(world: World, net: KernelNetworking, run_root: Path) -> None:
    network = await named(world, net)
    web = await world.zone(net, network, names=("web",))
    os.kill(resolver_of(run_root), signal.SIGKILL)
    other = await world.zone(net, network, names=("other",))
    for zone, name in ((web, "other"), (other, "web")):
        assert ask(zone.place, name)[0] == wire.NO_ERROR


async def test_each_death_of_a_resolver_is_noticed(world: World, net: KernelNetworking, run_root: Path) -> None:
    """Also after one that an order met before the daemon was told of it."""
    network = await named(world, net)
    web, other, leaving = [await world.zone(net, network, names=(name,)) for name in ("web", "other", "leaving")]
    os.kill(resolver_of(run_root), signal.SIGKILL)
    await net.detach(leaving.id)
    await world.zone(net, network, names=("new",))
    os.kill(resolver_of(run_root), signal.SIGKILL)
    assert await asyncio.to_thread(is_answered, web.place, "other", address(other))


def is_answered(place: Place, name: str, value: str) -> bool:
    """Whether it is answered in time; what was asked of a resolver that died is lost, and asked again."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with suppress(ConnectionRefusedError, TimeoutError):
            return ask(place, name, seconds=BRIEFLY) == (wire.NO_ERROR, [value])
    return False


async def test_a_resolver_that_hangs_is_replaced(world: World, net: KernelNetworking, run_root: Path) -> None:
    network = await named(world, net)
    web = await world.zone(net, network, names=("web",))
    hung = resolver_of(run_root)
    os.kill(hung, signal.SIGSTOP)
    other = await world.zone(net, network, names=("other",))
    assert not Path(f"/proc/{hung}/exe").exists()
    assert ask(web.place, "other") == (wire.NO_ERROR, [address(other)])


async def test_a_resolver_that_hung_before_the_daemon_came_is_replaced(world: World, run_root: Path) -> None:
    net = KernelNetworking("test-hung", run_root)
    await net.restore((), ())
    network = await named(world, net)
    web = await world.zone(net, network, names=("web",))
    await net.close()
    hung = resolver_of(run_root)
    os.kill(hung, signal.SIGSTOP)
    again = KernelNetworking("test-hung", run_root)
    await again.restore([network], [web.plugs])
    assert ask(web.place, "web") == (wire.NO_ERROR, [address(web)])
    assert resolver_of(run_root) != hung
    await again.detach(web.id)
    await again.close()


UPSTREAM = """
import socket, sys
ears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ears.bind(("%s", 53))
print("ready", flush=True)
while True:
    query, asker = ears.recvfrom(4096)
    %s
"""
REPLY = "ears.sendto({head} + query[12:] + {record}, asker)"
RECORD = r'b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\7\7\7\7"'
HONEST = REPLY.format(head=r'query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"', record=RECORD)
LIAR = REPLY.format(head=r'b"\0\0\x81\x80\0\1\0\1\0\0\0\0"', record=RECORD.replace("7", "6"))
FAILING = REPLY.format(head=r'query[:2] + b"\x81\x82\0\1\0\0\0\0\0\0"', record='b""')
SILENT = "pass"


@pytest.fixture
def upstream(world: World) -> Iterator[Callable[[str, str], None]]:
    """Starts a name server outside, at an address, that behaves as its last line says."""
    started: list[subprocess.Popen[str]] = []

    def start(at: str, behaviour: str) -> None:
        world.outside.run(f"ip addr replace {at}/24 dev up0")
        with entered(world.outside.netns):
            server = subprocess.Popen(
                [sys.executable, "-c", UPSTREAM % (at, behaviour)], stdout=subprocess.PIPE, text=True
            )
        started.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"

    yield start
    for server in started:
        server.kill()
        server.communicate()


async def outward(world: World, net: KernelNetworking, *servers: str) -> Zone:
    return await world.zone(net, await named(world, net), names=("web",), servers=servers)


async def test_other_names_are_asked_outside(
    world: World, net: KernelNetworking, upstream: Callable[[str, str], None]
) -> None:
    upstream(OUTSIDE, HONEST)
    zone = await outward(world, net, OUTSIDE)
    assert ask(zone.place, "example.org") == (wire.NO_ERROR, ["7.7.7.7"])
    assert ask(zone.place, "web") == (wire.NO_ERROR, [address(zone)])


@pytest.mark.parametrize("behaviour", [SILENT, LIAR, FAILING])
async def test_a_server_that_is_silent_lies_or_fails_is_passed_over(
    world: World, net: KernelNetworking, upstream: Callable[[str, str], None], behaviour: str
) -> None:
    upstream("198.51.100.10", behaviour)
    upstream(OUTSIDE, HONEST)
    zone = await outward(world, net, "198.51.100.9", "198.51.100.10", OUTSIDE)
    asked = threading.Thread(target=ask, args=(zone.place, "slow.example.org"))
    asked.start()
    assert ask(zone.place, "web") == (wire.NO_ERROR, [address(zone)])
    asked.join()
    assert ask(zone.place, "example.org") == (wire.NO_ERROR, ["7.7.7.7"])


async def test_dead_servers_are_an_answer_too(world: World, net: KernelNetworking) -> None:
    zone = await outward(world, net, OUTSIDE)
    assert ask(zone.place, "example.org") == (wire.SERVER_FAILURE, [])


@pytest.mark.parametrize(
    "junk", [b"", b"x", b"\0" * 11, b"\0" * 12, b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\x50abc", b"\xff" * 600]
)
async def test_junk_does_no_harm(world: World, net: KernelNetworking, junk: bytes) -> None:
    zone = await world.zone(net, await named(world, net), names=("web",))
    zone.place.open_socket(kind=socket.SOCK_DGRAM).sendto(junk, SERVER)
    with zone.place.reach(*SERVER) as stream:
        stream.sendall(b"\xff\xff" + junk)
    assert ask(zone.place, "web") == (wire.NO_ERROR, [address(zone)])
