"""A daemon that ends and comes back: connections, ports and rules stay; what no record knows goes."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.network.test_ports import source_of, web
from tests.integration.network.world import HOST, OUTSIDE, SECONDS, World, Zone, address
from zonehost.domain.network import Network
from zonehost.drivers.network.driver import KernelNetworking, Settings

INSTANCE = "test-restart"


async def come_back(zone: Zone, run_root: Path) -> KernelNetworking:
    """Another process's driver of the same instance, with the records of the zone."""
    again = KernelNetworking(INSTANCE, run_root)
    await again.restore([plug.network for plug in zone.plugs.plugs], [zone.plugs])
    return again


async def leave_nothing(net: KernelNetworking, zone: Zone, world: World) -> None:
    await net.detach(zone.id)
    await net.close()
    assert world.host.run("ip -o link show type bridge") == ""
    assert world.host.run("nft list tables") == ""


async def test_connections_outlive_the_daemon_and_its_return(world: World, run_root: Path) -> None:
    net = KernelNetworking(INSTANCE, run_root)
    await net.restore((), ())
    zone = await web(world, net)
    server = zone.place.serve(80)
    inward = world.outside.reach(HOST, 8080)
    accepted, _ = server.accept()
    outside = world.outside.serve(81)
    outward = zone.place.reach(OUTSIDE, 81)
    taken, _ = outside.accept()
    await net.close()
    source_of(server, world.outside, HOST, 8080)
    again = await come_back(zone, run_root)
    for one, other in ((inward, accepted), (outward, taken)):
        one.sendall(b"still")
        assert other.recv(16) == b"still"
        other.sendall(b"there")
        assert one.recv(16) == b"there"
    source_of(server, world.outside, HOST, 8080)
    with pytest.raises(OSError, match="Address already in use"):
        world.host.serve(8080)
    await leave_nothing(again, zone, world)


@pytest.mark.parametrize("guard", [True, False], ids=["guarded", "unguarded"])
@pytest.mark.parametrize(
    "damage", ["flush ruleset", "delete table inet {0}", "flush table inet {0}", "delete table bridge {0}"]
)
async def test_what_somebody_deletes_is_written_anew_and_connections_go_on(
    world: World, run_root: Path, damage: str, guard: bool
) -> None:
    net = KernelNetworking(INSTANCE, run_root, Settings(guard=guard))
    await net.restore((), ())
    zone = await web(world, net)
    server = zone.place.serve(80)
    inward = world.outside.reach(HOST, 8080)
    accepted, _ = server.accept()
    accepted.settimeout(SECONDS)
    outward = zone.place.reach(OUTSIDE, world.outside.serve(81).getsockname()[1])
    before = rules(world)
    [table] = set(re.findall(r"^table bridge (\S+)", "".join(before), re.MULTILINE))
    stop = threading.Event()
    errors: list[OSError] = []
    sent = threading.Thread(target=stream, args=(inward, accepted, stop, errors))
    sent.start()
    try:
        for _ in range(5):
            world.host.run(f"nft '{damage.format(table)}'")
            await written_again(world, before)
    finally:
        stop.set()
        sent.join()
    assert errors == []
    outward.sendall(b"still")
    assert source_of(server, world.outside, HOST, 8080) == OUTSIDE
    await leave_nothing(net, zone, world)


def rules(world: World) -> list[str]:
    """Every table there is; the kernel lists them in the order in which they were made."""
    return sorted(world.host.run("nft --stateless list ruleset").split("\n}\n"))


async def written_again(world: World, before: list[str]) -> None:
    """Return when the rules are there again, and fail if they are not in time."""
    deadline = asyncio.get_running_loop().time() + SECONDS
    while (now := await asyncio.to_thread(rules, world)) != before:
        assert asyncio.get_running_loop().time() < deadline, now


def stream(one: socket.socket, other: socket.socket, stop: threading.Event, errors: list[OSError]) -> None:
    """Bytes through the translated connection and back, without a pause."""
    try:
        while not stop.is_set():
            one.sendall(b"x" * 1000)
            other.recv(1000, socket.MSG_WAITALL)
            other.sendall(b"y")
            one.recv(1)
    except OSError as error:
        errors.append(error)


async def test_restore_sweeps_what_no_record_knows(world: World, net: KernelNetworking, run_root: Path) -> None:
    network = await world.network(net)
    kept = await world.zone(net, network)
    await world.zone(net, network)
    await world.network(net)
    await world.network(net, options={"com.docker.network.bridge.name": "named"})
    stranger = KernelNetworking("another", run_root)
    await stranger.restore((), ())
    await stranger.create(Network(id="ab" * 32, name="x", driver="bridge", created=0, predefined=True))
    await net.restore([network], [kept.plugs])
    links = world.host.run("ip -o link show")
    assert links.count("zv") == 1
    assert links.count("zb") == 3
    assert "named" not in links
    await stranger.close()


async def test_a_port_that_was_lost_meanwhile_is_told_and_still_leads_to_the_zone(
    world: World, run_root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    net = KernelNetworking(INSTANCE, run_root)
    await net.restore((), ())
    zone = await web(world, net)
    server = zone.place.serve(80)
    await net.close()
    world.host.serve(8080)
    again = await come_back(zone, run_root)
    assert "address already in use" in caplog.text
    source_of(server, world.outside, HOST, 8080)
    await leave_nothing(again, zone, world)


async def test_a_link_that_a_crash_did_not_make_is_made_at_the_return(world: World, net: KernelNetworking) -> None:
    one, two = await world.network(net), await world.network(net)
    zone = await world.zone(net, one)
    half = world.plug(two)
    recorded = replace(zone.plugs, plugs=(*zone.plugs.plugs, half))
    [(identity, [made])] = (await net.restore([one, two], [recorded])).items()
    assert (identity, made.id, made.interface) == (zone.id, half.endpoint.id, "eth1")
    other = await world.zone(net, two)
    source_of(other.place.serve(80), zone.place, address(other), 80)
