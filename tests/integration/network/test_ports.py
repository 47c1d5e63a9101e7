"""Published ports: from where they answer, as whom, and what a taken one says."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

from tests.integration.network.world import (
    BRIEFLY,
    HOST,
    HOST6,
    OUTSIDE,
    OUTSIDE6,
    Place,
    World,
    Zone,
    address,
    binding,
)
from zonehost.domain.network import Network
from zonehost.drivers.network.driver import KernelNetworking, Settings
from zonehost.errors import Conflict, InvalidParameter

SCTP = 132
TAG = 0x2A2A2A2A


def source_of(server: socket.socket, client: Place, target: str, port: int) -> str:
    """Who the server sees when the client connects."""
    with client.reach(target, port):
        connection, (source, *_) = server.accept()
        connection.close()
        return str(source)


async def web(world: World, net: KernelNetworking, *networks: Network, at: str = "8080", ip: str = "") -> Zone:
    chosen = networks or [await world.network(net)]
    return await world.zone(net, *chosen, ports={"80/tcp": binding(at, ip)})


async def test_from_outside_the_client_keeps_its_address(world: World, net: KernelNetworking) -> None:
    zone = await web(world, net)
    assert source_of(zone.place.serve(80), world.outside, HOST, 8080) == OUTSIDE


async def test_from_the_host_by_loopback_and_by_its_address(world: World, net: KernelNetworking) -> None:
    zone = await web(world, net)
    server = zone.place.serve(80)
    assert source_of(server, world.host, "127.0.0.1", 8080) == zone.plugs.plugs[0].network.pools[0].gateway
    assert source_of(server, world.host, "127.1.2.3", 8080) == zone.plugs.plugs[0].network.pools[0].gateway
    assert source_of(server, world.host, HOST, 8080) == HOST


@pytest.mark.parametrize("bridged_frames_pass_ip_hooks", [0, 1])
async def test_from_zones_by_the_hosts_address(
    world: World, net: KernelNetworking, bridged_frames_pass_ip_hooks: int
) -> None:
    world.host.run(f"sysctl -qew net.bridge.bridge-nf-call-iptables={bridged_frames_pass_ip_hooks}")
    network = await world.network(net)
    zone = await web(world, net, network)
    neighbour = await world.zone(net, network)
    stranger = await world.zone(net, await world.network(net))
    server = zone.place.serve(80)
    gateway = network.pools[0].gateway
    assert source_of(server, neighbour.place, HOST, 8080) == gateway
    assert source_of(server, zone.place, HOST, 8080) == gateway
    assert source_of(server, stranger.place, HOST, 8080) == address(stranger)


async def test_a_port_of_one_host_address_answers_only_there(world: World, net: KernelNetworking) -> None:
    zone = await web(world, net, ip="127.0.0.1")
    server = zone.place.serve(80)
    source_of(server, world.host, "127.0.0.1", 8080)
    with pytest.raises(ConnectionRefusedError):
        world.host.reach(HOST, 8080)
    with pytest.raises(ConnectionRefusedError):
        world.outside.reach(HOST, 8080)


async def test_loopback_can_be_the_default(world: World, run_root: Path) -> None:
    net = KernelNetworking("test-loopback", run_root, Settings(publish="127.0.0.1"))
    await net.restore((), ())
    zone = await web(world, net)
    assert zone.plugs.ports[0].host_ip == "127.0.0.1"
    source_of(zone.place.serve(80), world.host, "127.0.0.1", 8080)
    with pytest.raises(ConnectionRefusedError):
        world.outside.reach(HOST, 8080)
    await net.detach(zone.id)
    await net.close()


async def test_udp_answers_and_comes_back(world: World, net: KernelNetworking) -> None:
    zone = await world.zone(net, await world.network(net), ports={"53/udp": binding("5353")})
    server = zone.place.serve(53, kind=socket.SOCK_DGRAM)
    for client, target in ((world.outside, HOST), (world.host, "127.0.0.1"), (zone.place, HOST)):
        asking = client.open_socket(kind=socket.SOCK_DGRAM)
        asking.sendto(b"ask", (target, 5353))
        question, back = server.recvfrom(16)
        server.sendto(b"answer", back)
        assert (question, *asking.recvfrom(16)) == (b"ask", b"answer", (target, 5353))
        asking.close()


def sctp(source: int, target: int, tag: int, kind: int) -> bytes:
    """A packet with one INIT (1) or INIT ACK (2) chunk, RFC 9260 section 3."""
    chunk = struct.pack("!BBHIIHHI", kind, 0, 20, TAG, 1 << 16, 1, 1, 1)
    head = struct.pack("!HHI", source, target, tag)
    return head + crc32c(head + bytes(4) + chunk).to_bytes(4, "little") + chunk


def crc32c(data: bytes) -> int:
    """The checksum of SCTP (RFC 9260, appendix A)."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF


def sctp_from(receiving: socket.socket, kind: int) -> tuple[str, bytes]:
    """The next packet of this kind and who sent it, passing over what a kernel with SCTP says about all this."""
    while True:
        packet, (source, _) = receiving.recvfrom(256)
        if packet[32] == kind:
            return str(source), packet[20:]


async def test_sctp_is_translated_there_and_back(world: World, net: KernelNetworking) -> None:
    """By hand, for kernels without SCTP: their firewall knows it all the same."""
    zone = await world.zone(net, await world.network(net), ports={"7/sctp": binding("7007")})
    asking, serving = [place.open_socket(kind=socket.SOCK_RAW, protocol=SCTP) for place in (world.outside, zone.place)]
    with asking, serving:
        asking.sendto(sctp(5000, 7007, 0, 1), (HOST, 0))
        assert sctp_from(serving, 1) == (OUTSIDE, sctp(5000, 7, 0, 1))
        serving.sendto(sctp(7, 5000, TAG, 2), (OUTSIDE, 0))
        assert sctp_from(asking, 2) == (HOST, sctp(7007, 5000, TAG, 2))


async def test_a_client_that_never_stops_sending_reaches_each_zone_in_turn(world: World, net: KernelNetworking) -> None:
    network = await world.network(net)
    asking = world.outside.open_socket(kind=socket.SOCK_DGRAM)
    asking.sendto(b"too early", (HOST, 5353))
    for _ in range(2):
        await world.zone(net, network)
        zone = await world.zone(net, network, ports={"53/udp": binding("5353")})
        server = zone.place.serve(53, kind=socket.SOCK_DGRAM)
        asking.sendto(b"ask", (HOST, 5353))
        assert server.recv(16) == b"ask"
        await net.detach(zone.id)
        asking.sendto(b"nobody", (HOST, 5353))


async def test_an_ephemeral_port_and_a_range(world: World, net: KernelNetworking) -> None:
    network = await world.network(net)
    zones = [await web(world, net, network, at=at) for at in ("", "", "9000-9001", "9000-9001")]
    ports = [zone.plugs.ports[0].host_port for zone in zones]
    assert 32768 <= ports[0] < ports[1] <= 60999
    assert ports[2:] == [9000, 9001]
    with pytest.raises(Conflict, match="all ports are allocated"):
        await web(world, net, network, at="9000-9001")
    for zone, port in zip(zones, ports, strict=True):
        source_of(zone.place.serve(80), world.outside, HOST, port)


async def test_a_taken_port_is_dockers_error_and_nothing_is_held(world: World, net: KernelNetworking) -> None:
    network = await world.network(net)
    await web(world, net, network)
    plug = world.plug(network)
    with pytest.raises(Conflict) as caught:
        await net.reserve("f" * 64, "two", {"1/tcp": binding("8081"), "80/tcp": binding("8080")}, (plug,))
    assert str(caught.value) == (
        f"driver failed programming external connectivity on endpoint two ({'f' * 64}): "
        "Bind for 0.0.0.0:8080 failed: port is already allocated"
    )
    world.host.serve(8081)


async def test_a_strangers_port_is_taken_too(world: World, net: KernelNetworking) -> None:
    world.host.serve(8080, address="127.0.0.1")
    with pytest.raises(Conflict, match=r"failed to bind host port 0.0.0.0:8080/tcp: address already in use"):
        await web(world, net)


async def test_no_stranger_can_take_a_published_port(world: World, net: KernelNetworking) -> None:
    zone = await web(world, net)
    with pytest.raises(OSError, match="Address already in use"):
        world.host.serve(8080)
    await net.detach(zone.id)
    world.host.serve(8080)


async def test_an_address_that_is_not_the_hosts(world: World, net: KernelNetworking) -> None:
    with pytest.raises(InvalidParameter, match="cannot assign requested address"):
        await web(world, net, ip="203.0.113.9")


async def test_the_ipv6_loopback_cannot_be_translated(world: World, net: KernelNetworking) -> None:
    with pytest.raises(InvalidParameter, match="cannot translate ::1"):
        await web(world, net, await world.network(net, ipv6=True), ip="::1")


async def test_an_ipv6_address_needs_an_ipv6_zone(world: World, net: KernelNetworking) -> None:
    with pytest.raises(InvalidParameter, match="has no IPv6 address"):
        await web(world, net, ip="2001:db8:51::1")


@pytest.mark.parametrize("bridged_frames_pass_ip_hooks", [0, 1])
async def test_ipv6_from_outside_from_the_host_and_from_zones(
    world: World, net: KernelNetworking, bridged_frames_pass_ip_hooks: int
) -> None:
    world.host.run(f"sysctl -qew net.bridge.bridge-nf-call-ip6tables={bridged_frames_pass_ip_hooks}")
    network = await world.network(net, ipv6=True)
    zone = await web(world, net, network)
    neighbour = await world.zone(net, network)
    server = zone.place.serve(80, address="::")
    stranger = await world.zone(net, await world.network(net, ipv6=True))
    gateway = network.pools[1].gateway
    assert source_of(server, world.outside, HOST6, 8080) == OUTSIDE6
    assert source_of(server, world.host, HOST6, 8080) == HOST6
    with pytest.raises(ConnectionRefusedError):
        world.host.reach("::1", 8080)
    assert source_of(server, neighbour.place, HOST6, 8080) == gateway
    assert source_of(server, zone.place, HOST6, 8080) == gateway
    assert source_of(server, stranger.place, HOST6, 8080) == stranger.plugs.plugs[0].endpoint.ipv6
    assert source_of(server, world.outside, HOST, 8080) == f"::ffff:{OUTSIDE}"
    outside = world.outside.serve(81, address="::")
    assert source_of(outside, zone.place, OUTSIDE6, 81) == HOST6


async def test_a_port_of_a_zone_that_has_ipv6_only(world: World, net: KernelNetworking) -> None:
    pools = await net.choose_pools(world.networks, ipv4=False, ipv6=True)
    zone = await web(world, net, await world.network(net, *pools, ipv6=True))
    assert [port.host_ip for port in zone.plugs.ports] == ["::"]
    server = zone.place.serve(80, address="::")
    assert source_of(server, world.outside, HOST6, 8080) == OUTSIDE6
    with pytest.raises(ConnectionRefusedError):
        world.outside.reach(HOST, 8080)
    with pytest.raises(InvalidParameter, match="has no IPv4 address"):
        await web(world, net, zone.plugs.plugs[0].network, ip="127.0.0.1")


async def test_the_hosts_own_rules_stand(world: World, net: KernelNetworking) -> None:
    zone = await web(world, net)
    zone.place.serve(80)
    world.host.run(
        "nft 'table inet mine {\n chain forward {\n type filter hook forward priority 0; policy drop;\n"
        " ct state established accept\n }\n }'"
    )
    with pytest.raises(TimeoutError):
        world.outside.reach(HOST, 8080, BRIEFLY)
    world.host.run("nft add rule inet mine forward meta l4proto tcp ct original proto-dst 8080 accept")
    world.outside.reach(HOST, 8080).close()
    world.host.run("nft delete table inet mine")


async def test_no_table_but_ours_is_touched(world: World, net: KernelNetworking) -> None:
    world.host.run("nft 'table ip foreign {\n set s {\n type ipv4_addr; elements = { 1.2.3.4 }\n }\n }'")
    before = world.host.run("nft list table ip foreign")
    zone = await web(world, net)
    await net.detach(zone.id)
    assert world.host.run("nft list table ip foreign") == before
