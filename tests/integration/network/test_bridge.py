"""A bridge network: links, addresses, the way out, walls between networks, complete removal."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.integration.network.world import BRIEFLY, HOST, HOST6, OUTSIDE, World, address
from zonehost.domain.network import Network, Pool
from zonehost.drivers.network.driver import KernelNetworking
from zonehost.errors import Conflict


async def test_a_zone_gets_loopback_address_mac_and_default_route(world: World, net: KernelNetworking) -> None:
    network = await world.network(net, Pool(subnet="10.77.0.0/24", gateway="10.77.0.1"))
    zone = await world.zone(net, network)
    endpoint = zone.plugs.plugs[0].endpoint
    assert endpoint.interface == "eth0"
    [lo, eth0] = json.loads(zone.place.run("ip -json addr show"))
    assert "UP" in lo["flags"]
    assert "UP" in eth0["flags"]
    assert eth0["address"] == endpoint.mac == "02:42:0a:4d:00:02"
    assert [(a["local"], a["prefixlen"]) for a in eth0["addr_info"]] == [("10.77.0.2", 24)]
    [default] = json.loads(zone.place.run("ip -json route show default"))
    assert default["gateway"] == "10.77.0.1"


async def test_a_zone_reaches_the_outside_as_the_host(world: World, net: KernelNetworking) -> None:
    zone = await world.zone(net, await world.network(net))
    server = world.outside.serve(80)
    with zone.place.reach(OUTSIDE, 80):
        _, (source, _) = server.accept()
    assert source == HOST


async def test_zones_of_one_network_talk_and_keep_their_addresses(world: World, net: KernelNetworking) -> None:
    network = await world.network(net)
    one, other = [await world.zone(net, network) for _ in range(2)]
    server = other.place.serve(80)
    with one.place.reach(address(other), 80):
        _, (source, _) = server.accept()
    assert source == address(one)


@pytest.mark.parametrize("bridged_frames_pass_ip_hooks", [0, 1])
async def test_zones_of_a_network_without_icc_do_not_talk(
    world: World, net: KernelNetworking, bridged_frames_pass_ip_hooks: int
) -> None:
    world.host.run(f"sysctl -qew net.bridge.bridge-nf-call-iptables={bridged_frames_pass_ip_hooks}")
    network = await world.network(net, options={"com.docker.network.bridge.enable_icc": "false"})
    one, other = [await world.zone(net, network) for _ in range(2)]
    other.place.serve(80)
    with pytest.raises(TimeoutError):
        one.place.reach(address(other), 80, BRIEFLY)
    world.outside.serve(80)
    one.place.reach(OUTSIDE, 80).close()


async def test_zones_of_two_networks_do_not_talk(world: World, net: KernelNetworking) -> None:
    one = await world.zone(net, await world.network(net))
    other = await world.zone(net, await world.network(net))
    other.place.serve(80)
    with pytest.raises(TimeoutError):
        one.place.reach(address(other), 80, BRIEFLY)


async def test_an_outside_host_that_routes_to_the_bridge_reaches_nothing(world: World, net: KernelNetworking) -> None:
    zone = await world.zone(net, await world.network(net))
    zone.place.serve(80)
    world.outside.run(f"ip route add {address(zone)} via {HOST}")
    with pytest.raises(TimeoutError):
        world.outside.reach(address(zone), 80, BRIEFLY)


async def test_walls_of_ipv6(world: World, net: KernelNetworking) -> None:
    one, other = [await world.zone(net, await world.network(net, ipv6=True)) for _ in range(2)]
    target = other.plugs.plugs[0].endpoint.ipv6
    other.place.serve(80, address="::")
    world.host.reach(target, 80).close()
    world.outside.run(f"ip -6 route add {target} via {HOST6}")
    for stranger in (one.place, world.outside):
        with pytest.raises(TimeoutError):
            stranger.reach(target, 80, BRIEFLY)


async def test_the_host_reaches_a_zone(world: World, net: KernelNetworking) -> None:
    zone = await world.zone(net, await world.network(net))
    zone.place.serve(80)
    world.host.reach(address(zone), 80).close()


async def test_an_internal_network_has_no_way_out_or_in(world: World, net: KernelNetworking) -> None:
    network = await world.network(net, internal=True)
    one, other = [await world.zone(net, network) for _ in range(2)]
    assert json.loads(one.place.run("ip -json route show default")) == []
    other.place.serve(80)
    one.place.reach(address(other), 80).close()
    world.outside.serve(80)
    one.place.run(f"ip route add default via {network.pools[0].gateway}")
    with pytest.raises(TimeoutError):
        one.place.reach(OUTSIDE, 80, BRIEFLY)


async def test_a_zone_reaches_no_service_on_the_hosts_loopback(world: World, net: KernelNetworking) -> None:
    network = await world.network(net)
    zone = await world.zone(net, network)
    world.host.serve(80, address="127.0.0.1")
    zone.place.run(f"ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1 via {network.pools[0].gateway}")
    zone.place.run("sysctl -qw net.ipv4.conf.all.route_localnet=1")
    with pytest.raises(TimeoutError):
        zone.place.reach("127.0.0.1", 80, BRIEFLY)


async def test_who_is_put_on_our_bridge_reaches_no_service_on_the_hosts_loopback(
    world: World, net: KernelNetworking
) -> None:
    network = await world.network(net)
    gateway, prefix = network.pools[0].gateway, network.pools[0].subnet.rpartition("/")[2]
    guest = world.place()
    world.host.run(f"ip link add guest0 type veth peer name eth0 netns {guest.process.pid}")
    world.host.run(f"ip link set guest0 master $(ip -o addr show to {gateway} | awk '{{print $2}}') up")
    guest.run(f"ip addr add {gateway[:-1]}77/{prefix} dev eth0 && ip link set eth0 up && ip link set lo up")
    guest.run(f"ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1 via {gateway}")
    guest.run("sysctl -qw net.ipv4.conf.all.route_localnet=1")
    world.host.serve(80)
    guest.reach(gateway, 80).close()
    with pytest.raises(TimeoutError):
        guest.reach("127.0.0.1", 80, BRIEFLY)
    world.host.run("ip link del guest0")


async def test_a_zone_reaches_no_loopback_address_that_another_translates(world: World, net: KernelNetworking) -> None:
    """Of another engine on this host, say, which publishes a port on 127.0.0.1 only."""
    network = await world.network(net)
    zone = await world.zone(net, network)
    world.outside.serve(80)
    world.host.run(
        "nft 'table ip other {\n chain pre {\n type nat hook prerouting priority dstnat;\n"
        f" tcp dport 8080 dnat to {OUTSIDE}:80\n }}\n }}'"
    )
    zone.place.reach(HOST, 8080).close()
    zone.place.run(f"ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1 via {network.pools[0].gateway}")
    zone.place.run("sysctl -qw net.ipv4.conf.all.route_localnet=1")
    with pytest.raises(TimeoutError):
        zone.place.reach("127.0.0.1", 8080, BRIEFLY)
    world.host.run("nft delete table ip other")


async def test_a_zone_does_not_reach_the_clouds_metadata(world: World, net: KernelNetworking) -> None:
    zone = await world.zone(net, await world.network(net))
    world.outside.run("ip addr add 169.254.169.254/32 dev lo")
    world.outside.serve(80)
    world.host.reach("169.254.169.254", 80).close()
    with pytest.raises(OSError, match=r"unreachable|No route"):
        zone.place.reach("169.254.169.254", 80)


async def test_a_zone_does_not_reach_the_clouds_metadata_by_ipv6(world: World, net: KernelNetworking) -> None:
    zone = await world.zone(net, await world.network(net, ipv6=True))
    world.outside.run("ip addr add fd00:ec2::254/128 dev lo nodad")
    world.outside.serve(80, address="::")
    world.host.reach("fd00:ec2::254", 80).close()
    with pytest.raises(OSError, match=r"unreachable|No route|Permission denied"):
        zone.place.reach("fd00:ec2::254", 80)


async def test_forty_zones_are_gone_when_detach_returns(world: World, net: KernelNetworking) -> None:
    network = await world.network(net)
    zones = [await world.zone(net, network) for _ in range(40)]
    assert world.host.run("ip -o link show").count("zv") == 40
    began = time.perf_counter()
    await asyncio.gather(*(net.detach(zone.id) for zone in zones))
    took = time.perf_counter() - began
    assert "zv" not in world.host.run("ip -o link show")
    assert "02:42:" not in world.host.run("nft list ruleset")
    assert took < 1.0


async def test_detach_is_idempotent_and_frees_the_address(world: World, net: KernelNetworking) -> None:
    network = await world.network(net)
    zone = await world.zone(net, network)
    await net.detach(zone.id)
    await net.detach(zone.id)
    world.leases[network.id].release(zone.plugs.plugs[0].endpoint)
    again = await world.zone(net, network)
    assert address(again) == address(zone)
    world.outside.serve(80)
    again.place.reach(OUTSIDE, 80).close()


async def test_a_bridge_name_that_is_taken_by_a_stranger_is_refused(world: World, net: KernelNetworking) -> None:
    world.host.run("ip link add mine type bridge")
    with pytest.raises(Conflict, match="the interface mine exists already"):
        await world.network(net, options={"com.docker.network.bridge.name": "mine"})
    world.host.run("ip link del mine")


async def test_a_bridge_can_be_named(world: World, net: KernelNetworking) -> None:
    network = await world.network(net, options={"com.docker.network.bridge.name": "br.web"})
    zone = await world.zone(net, network)
    world.outside.serve(80)
    zone.place.reach(OUTSIDE, 80).close()
    await net.detach(zone.id)
    await net.remove(network)
    await net.remove(network)
    assert "br.web" not in world.host.run("ip -o link show")


async def test_pools_avoid_what_the_host_routes_to(world: World, net: KernelNetworking) -> None:
    world.host.run("ip addr add 172.17.5.1/24 dev lo && ip route add 172.18.0.0/15 dev up0")
    first = await world.network(net)
    second = await world.network(net)
    assert [n.pools[0].subnet for n in (first, second)] == ["172.20.0.0/16", "172.21.0.0/16"]


async def test_a_subnet_is_contested_by_others_and_not_by_its_own_bridge(world: World, net: KernelNetworking) -> None:
    network = await world.network(net)
    assert not await net.is_contested(network)
    subnet = ip_network(network.pools[0].subnet)
    world.host.run(f"ip addr add {subnet[500]}/24 dev lo")
    assert await net.is_contested(network)


async def test_two_daemons_that_choose_at_once_choose_differently(
    world: World, net: KernelNetworking, run_root: Path
) -> None:
    other = KernelNetworking("other", run_root)
    chosen = await asyncio.gather(*(driver.choose_pools([]) for driver in (net, other, net, other)))
    assert len({pool.subnet for [pool] in chosen}) == 4
    await other.close()


async def test_a_subnet_that_another_network_got_while_it_was_chosen_is_not_chosen(
    world: World, net: KernelNetworking, run_root: Path
) -> None:
    other = KernelNetworking("other", run_root)
    [first] = await other.choose_pools([])
    await other.close()
    known: list[Network] = []

    class Growing:
        """Nobody has it at the first look; at the next a network does."""

        def __iter__(self) -> Iterator[Network]:
            yield from tuple(known)
            known[:] = [Network(id="f" * 64, name="quick", driver="bridge", created=1, pools=(first,))]

    [chosen] = await net.choose_pools(Growing())
    assert not ip_network(chosen.subnet).overlaps(ip_network(first.subnet))
