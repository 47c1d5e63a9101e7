"""Networks joined and left by running zones; several networks; macvlan."""

from __future__ import annotations

import json

import pytest

from tests.integration.network.test_ports import source_of, web
from tests.integration.network.world import BRIEFLY, HOST, OUTSIDE, World, Zone, address
from zonehost.domain.network import Network, Pool
from zonehost.drivers.network.driver import KernelNetworking
from zonehost.errors import Conflict, InvalidParameter
from zonehost.ports.network import Plug, ZonePlugs


async def connect(
    net: KernelNetworking, world: World, zone: Zone, network: Network, *names: str, **fields: object
) -> Plug:
    """As the engine does it: the zone has its new plug afterwards."""
    new = world.plug(network, *names, **fields)
    plugs = with_plugs(zone.plugs, (*zone.plugs.plugs, new))
    endpoint = await net.connect(zone.place.process.pid, plugs, new)
    named = Plug(network, endpoint, names)
    zone.plugs = with_plugs(zone.plugs, (*zone.plugs.plugs, named))
    return named


async def disconnect(net: KernelNetworking, zone: Zone, old: Plug) -> None:
    left = with_plugs(zone.plugs, tuple(plug for plug in zone.plugs.plugs if plug != old))
    await net.disconnect(zone.place.process.pid, left, old)
    zone.plugs = left


def with_plugs(plugs: ZonePlugs, every: tuple[Plug, ...]) -> ZonePlugs:
    return ZonePlugs(plugs.zone, every, plugs.ports, plugs.servers, plugs.pid)


def default_route(zone: Zone) -> str:
    [route] = json.loads(zone.place.run("ip -json route show default"))
    return f"{route['gateway']} {route['dev']}"


async def test_a_zone_joins_and_leaves_a_network_while_it_runs(world: World, net: KernelNetworking) -> None:
    one, two = [await world.network(net) for _ in range(2)]
    zone, other = await world.zone(net, one), await world.zone(net, two)
    server = other.place.serve(80)
    new = await connect(net, world, zone, two)
    assert new.endpoint.interface == "eth1"
    assert source_of(server, zone.place, address(other), 80) == new.endpoint.ipv4
    await disconnect(net, zone, new)
    assert "eth1" not in zone.place.run("ip -o link show")
    with pytest.raises(TimeoutError):
        zone.place.reach(address(other), 80, BRIEFLY)
    again = await connect(net, world, zone, two)
    assert again.endpoint.interface == "eth1"


async def test_the_default_route_follows_priority_and_name(world: World, net: KernelNetworking) -> None:
    one, two, inside = await world.network(net), await world.network(net), await world.network(net, internal=True)
    zone = await world.zone(net, one, inside)
    assert default_route(zone) == f"{one.pools[0].gateway} eth0"
    new = await connect(net, world, zone, two)
    assert default_route(zone) == f"{one.pools[0].gateway} eth0"
    await disconnect(net, zone, new)
    new = await connect(net, world, zone, two, gateway_priority=1)
    assert default_route(zone) == f"{two.pools[0].gateway} eth2"
    world.outside.serve(80)
    zone.place.reach(OUTSIDE, 80).close()
    await disconnect(net, zone, new)
    assert default_route(zone) == f"{one.pools[0].gateway} eth0"
    zone.place.reach(OUTSIDE, 80).close()


async def test_published_ports_follow_the_default_route(world: World, net: KernelNetworking) -> None:
    one, two = [await world.network(net) for _ in range(2)]
    zone = await web(world, net, one)
    server = zone.place.serve(80)
    source_of(server, world.outside, HOST, 8080)
    await connect(net, world, zone, two)
    await disconnect(net, zone, zone.plugs.plugs[0])
    assert source_of(server, world.outside, HOST, 8080) == OUTSIDE


async def test_connecting_a_zone_that_has_ended_is_a_conflict(world: World, net: KernelNetworking) -> None:
    one, two = [await world.network(net) for _ in range(2)]
    zone = await world.zone(net, one)
    zone.place.end()
    with pytest.raises(Conflict, match="not running"):
        await connect(net, world, zone, two)


async def test_an_interface_name_can_be_asked_for(world: World, net: KernelNetworking) -> None:
    network = await world.network(net, options={"com.docker.network.container_iface_prefix": "lan"})
    zone = await world.zone(net, network)
    assert zone.plugs.plugs[0].endpoint.interface == "lan0"
    asked = {
        "com.docker.network.endpoint.ifname": "wan",
        "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.forwarding=0",
    }
    new = await connect(net, world, zone, await world.network(net), driver_options=asked)
    assert new.endpoint.interface == "wan"
    assert zone.place.run("sysctl -n net.ipv4.conf.wan.log_martians").strip() == "1"


@pytest.mark.parametrize("mtu", [1400, 1234])
async def test_mtu_and_mac_can_be_asked_for(world: World, net: KernelNetworking, mtu: int) -> None:
    """A link below 1280 has no IPv6."""
    network = await world.network(net, options={"com.docker.network.driver.mtu": str(mtu)})
    zone = await world.zone(net, network)
    new = await connect(net, world, zone, await world.network(net), asked_mac="02:00:00:00:00:99")
    links = {link["ifname"]: link for link in json.loads(zone.place.run("ip -json link show"))}
    assert links["eth0"]["mtu"] == mtu
    assert links["eth1"]["address"] == new.endpoint.mac == "02:00:00:00:00:99"


async def test_a_plug_that_fails_leaves_nothing(world: World, net: KernelNetworking) -> None:
    network = await world.network(net)
    zone = await world.zone(net, network)
    gone = Network(id="cd" * 32, name="gone", driver="bridge", created=0, pools=(Pool(subnet="10.9.0.0/24"),))
    world.leases[gone.id] = world.leases[network.id]
    before = world.host.run("ip -o link show | wc -l")
    with pytest.raises(InvalidParameter, match="does not exist"):
        await connect(net, world, zone, gone)
    assert world.host.run("ip -o link show | wc -l") == before
    assert "eth1" not in zone.place.run("ip -o link show")


async def test_macvlan_puts_a_zone_beside_the_host(world: World, net: KernelNetworking) -> None:
    pool = Pool(subnet="198.51.100.0/24", ip_range="198.51.100.128/25", gateway=OUTSIDE)
    network = await world.network(net, pool, driver="macvlan", options={"parent": "up0"})
    one, two = [await world.zone(net, network) for _ in range(2)]
    server = world.outside.serve(80)
    assert source_of(server, one.place, OUTSIDE, 80) == address(one) == "198.51.100.128"
    assert source_of(two.place.serve(80), one.place, address(two), 80) == address(one)
    assert default_route(one) == f"{OUTSIDE} eth0"


@pytest.mark.parametrize(
    ("parent", "missing"), [("nowhere", "nowhere"), ("nowhere.7", "nowhere"), ("up0.4095", "up0.4095")]
)
async def test_macvlan_needs_a_parent_that_is_there(
    world: World, net: KernelNetworking, parent: str, missing: str
) -> None:
    pool = Pool(subnet="198.51.100.0/24", gateway=OUTSIDE)
    with pytest.raises(InvalidParameter, match=f"the interface {missing} does not exist"):
        await world.network(net, pool, driver="macvlan", options={"parent": parent})


def needs(kind: str, world: World) -> None:
    """Skip on a kernel without links of this kind."""
    try:
        world.host.run(f"ip link add link up0 name probe type {kind} && ip link del probe")
    except AssertionError:
        pytest.skip(f"the kernel has no links of the kind {kind}")


async def test_macvlan_makes_the_vlan_that_it_stands_on_and_takes_it_away(world: World, net: KernelNetworking) -> None:
    needs("vlan id 9", world)
    world.outside.run(
        "ip link add link up0 name up0.50 type vlan id 50 && ip addr add 10.50.0.1/24 dev up0.50"
        " && ip link set up0.50 up"
    )
    pools = [Pool(subnet=f"10.50.0.{first}/25", gateway=gateway) for first, gateway in ((0, "10.50.0.1"), (128, ""))]
    one, two = [
        await world.network(net, pool, driver="macvlan", options={"parent": "up0.50"}, internal=not pool.gateway)
        for pool in pools
    ]
    zone = await world.zone(net, one)
    assert source_of(world.outside.serve(80), zone.place, "10.50.0.1", 80) == address(zone)
    await net.detach(zone.id)
    await net.remove(one)
    assert "up0.50@" in world.host.run("ip -o link show")
    await net.remove(two)
    assert "up0.50@" not in world.host.run("ip -o link show")


async def test_a_vlan_that_was_there_stays(world: World, net: KernelNetworking) -> None:
    needs("vlan id 9", world)
    world.host.run("ip link add link up0 name up0.51 type vlan id 51")
    network = await world.network(net, Pool(subnet="10.51.0.0/24"), driver="macvlan", options={"parent": "up0.51"})
    await net.remove(network)
    world.host.run("ip link del up0.51")


async def test_macvlan_without_a_parent_leads_nowhere(world: World, net: KernelNetworking) -> None:
    needs("dummy", world)
    network = await world.network(net, Pool(subnet="10.52.0.0/24", gateway="10.52.0.1"), driver="macvlan")
    one, two = [await world.zone(net, network) for _ in range(2)]
    assert source_of(two.place.serve(80), one.place, address(two), 80) == address(one)
    assert "default" not in one.place.run("ip route")
    with pytest.raises(OSError, match="unreachable"):
        one.place.reach(OUTSIDE, 80)
    for zone in (one, two):
        await net.detach(zone.id)
        zone.place.end()
    await net.remove(network)


async def test_a_routed_port_holds_no_port_of_the_host(world: World, net: KernelNetworking) -> None:
    network = await world.network(net, options={"com.docker.network.bridge.gateway_mode_ipv4": "routed"})
    one, two = [await web(world, net, network) for _ in range(2)]
    assert one.plugs.ports == two.plugs.ports
    assert one.plugs.ports[0].host_port == 0
    world.host.serve(8080)


@pytest.mark.parametrize(("mode", "reached"), [("routed", True), ("nat-unprotected", True), ("nat", False)])
async def test_gateway_modes(world: World, net: KernelNetworking, mode: str, reached: bool) -> None:
    network = await world.network(net, options={"com.docker.network.bridge.gateway_mode_ipv4": mode})
    zone = await web(world, net, network)
    server = zone.place.serve(80)
    hidden = zone.place.serve(81)
    world.outside.run(f"ip route add {network.pools[0].subnet} via {HOST}")
    if not reached:
        with pytest.raises(TimeoutError):
            world.outside.reach(address(zone), 80, BRIEFLY)
        return
    assert source_of(server, world.outside, address(zone), 80) == OUTSIDE
    if mode == "routed":
        with pytest.raises(TimeoutError):
            world.outside.reach(address(zone), 81, BRIEFLY)
        assert source_of(world.outside.serve(82), zone.place, OUTSIDE, 82) == address(zone)
    else:
        source_of(hidden, world.outside, address(zone), 81)


async def test_a_network_can_leave_by_an_address_of_its_own(world: World, net: KernelNetworking) -> None:
    world.host.run("ip addr add 198.51.100.77/32 dev up0")
    network = await world.network(net, options={"com.docker.network.host_ipv4": "198.51.100.77"})
    zone = await world.zone(net, network)
    assert source_of(world.outside.serve(80), zone.place, OUTSIDE, 80) == "198.51.100.77"
