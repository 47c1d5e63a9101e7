"""The suite of the networking port, on the fake and on the kernel in a world of namespaces."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import msgspec
import pytest

from tests.fakes.network import MemoryNetworking
from tests.integration.network.world import World, binding, made_world
from zonehost.drivers.network.driver import KernelNetworking
from zonehost.errors import Conflict, NotFound
from zonehost.ports.network import Networking, Plug, ZonePlugs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


@pytest.fixture
def world() -> Iterator[World]:
    with made_world() as made:
        yield made


@pytest.fixture(params=["memory", "kernel"])
async def net(request: pytest.FixtureRequest, world: World) -> AsyncIterator[Networking]:
    with tempfile.TemporaryDirectory(prefix="zh-", dir="/run") as run_root:
        made: Networking = (
            MemoryNetworking() if request.param == "memory" else KernelNetworking("conformance", Path(run_root))
        )
        await made.restore((), ())
        yield made
        for network in world.networks:
            await made.remove(network)
        await made.close()


async def test_chosen_subnets_are_each_for_one_network(world: World, net: Networking) -> None:
    networks = [await world.network(net) for _ in range(3)]
    subnets = [ip_network(network.pools[0].subnet) for network in networks]
    assert len(set(subnets)) == 3
    assert all(
        ip_address(network.pools[0].gateway) in subnet for network, subnet in zip(networks, subnets, strict=True)
    )
    both = await net.choose_pools(networks, ipv6=True)
    assert [ip_network(pool.subnet).version for pool in both] == [4, 6]
    assert [ip_network(pool.subnet).version for pool in await net.choose_pools(networks, ipv4=False, ipv6=True)] == [6]


async def test_a_subnet_that_no_network_is_made_of_can_be_given_back(net: Networking) -> None:
    first, second = [await net.choose_pools(()) for _ in range(2)]
    assert first != second
    net.release_pools(first)
    assert await net.choose_pools(()) == first


async def test_networks_are_made_and_removed_any_number_of_times(world: World, net: Networking) -> None:
    network = await world.network(net)
    await net.create(network)
    await net.remove(network)
    await net.remove(network)
    await net.create(network)


async def test_a_driver_that_nobody_knows_is_refused(world: World, net: Networking) -> None:
    network = msgspec.structs.replace(await world.network(net), driver="carrier-pigeon")
    with pytest.raises(NotFound, match="carrier-pigeon"):
        net.check(network)


async def test_a_taken_port_is_a_conflict_until_its_zone_is_detached(world: World, net: Networking) -> None:
    network = await world.network(net)
    plugs = (world.plug(network),)
    [held] = await net.reserve("one", "web", {"80/tcp": binding("8080")}, plugs)
    assert (held.port, held.protocol, held.host_port) == (80, "tcp", 8080)
    with pytest.raises(Conflict, match=r"Bind for 0.0.0.0:8080 failed: port is already allocated"):
        await net.reserve("two", "web", {"81/tcp": binding("8081"), "80/tcp": binding("8080")}, plugs)
    assert await net.reserve("three", "web", {"80/tcp": binding("8081")}, plugs)
    await net.detach("one")
    await net.detach("one")
    assert await net.reserve("two", "web", {"80/tcp": binding("8080")}, plugs)
    for zone in ("two", "three"):
        await net.detach(zone)


async def test_ephemeral_ports_differ(world: World, net: Networking) -> None:
    plugs = (world.plug(await world.network(net)),)
    ports = await net.reserve("one", "web", {"80/tcp": (*binding(), *binding())}, plugs)
    assert len({port.host_port for port in ports}) == 2
    await net.detach("one")


async def test_ports_that_leave_no_choice_are_held_first(world: World, net: Networking) -> None:
    plugs = (world.plug(await world.network(net)),)
    [last] = await net.reserve("one", "web", {"80/tcp": binding()}, plugs)
    following = last.host_port + 1
    asked = {"80/tcp": binding(), "8080/tcp": binding(str(following))}
    ports = await net.reserve("two", "web", asked, plugs)
    assert [port.port for port in ports] == [80, 8080]
    assert ports[1].host_port == following
    assert ports[0].host_port not in (last.host_port, following)
    for zone in ("one", "two"):
        await net.detach(zone)


async def test_interfaces_are_named_in_the_order_of_the_plugs(world: World, net: Networking) -> None:
    zone = await world.zone(net, await world.network(net), await world.network(net))
    assert [plug.endpoint.interface for plug in zone.plugs.plugs] == ["eth0", "eth1"]
    await net.detach(zone.id)
    await net.detach(zone.id)


async def test_a_running_zone_joins_and_leaves(world: World, net: Networking) -> None:
    zone = await world.zone(net, await world.network(net))
    new = world.plug(await world.network(net))
    grown = ZonePlugs(zone.id, (*zone.plugs.plugs, new), pid=zone.place.process.pid)
    made = await net.connect(zone.place.process.pid, grown, new)
    assert (made.id, made.interface) == (new.endpoint.id, "eth1")
    await net.disconnect(zone.place.process.pid, zone.plugs, Plug(new.network, made))
    await net.detach(zone.id)


async def test_what_is_whole_needs_no_new_links_after_a_restart(world: World, net: Networking) -> None:
    network = await world.network(net)
    zone = await world.zone(net, network)
    assert await net.restore([network], [zone.plugs]) == {}
    await net.detach(zone.id)
