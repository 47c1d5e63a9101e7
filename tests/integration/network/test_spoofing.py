"""A zone with every capability in its namespace still cannot say that it is another."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

import pytest

from tests.integration.network.world import BRIEFLY, World, Zone, address
from zonehost.domain.network import Pool
from zonehost.drivers.network.driver import KernelNetworking

ETHER_ARP, ETHER_ALL, ETHER_IP, ETHER_IPV6, ETHER_EXPERIMENTAL = 0x0806, 3, 0x0800, 0x86DD, 0x88B5


def raw(zone: Zone, protocol: int = ETHER_ALL) -> socket.socket:
    """A packet socket on the zone's link."""
    made = zone.place.open_socket(socket.AF_PACKET, socket.SOCK_RAW)
    made.bind(("eth0", protocol))
    return made


def frame(source: str, target: str, protocol: int, body: bytes) -> bytes:
    octets = bytes.fromhex((target + source).replace(":", ""))
    return (octets + protocol.to_bytes(2, "big") + body).ljust(60, b"\0")


def arp_reply(mac: str, claimed: str, target: str) -> bytes:
    packed = bytes.fromhex(mac.replace(":", "")) + socket.inet_aton(claimed)
    return struct.pack("!HHBBH", 1, ETHER_IP, 6, 4, 2) + packed + b"\xff" * 6 + socket.inet_aton(target)


async def pair(world: World, net: KernelNetworking, *pools: Pool, **fields: object) -> tuple[Zone, Zone]:
    network = await world.network(net, *pools, **fields)
    return await world.zone(net, network), await world.zone(net, network)


def mac(zone: Zone) -> str:
    return zone.plugs.plugs[0].endpoint.mac


def gateway(zone: Zone) -> str:
    return zone.plugs.plugs[0].endpoint.gateway4


async def test_another_address_gets_nowhere(world: World, net: KernelNetworking) -> None:
    liar, victim = await pair(world, net)
    server = victim.place.serve(80, kind=socket.SOCK_DGRAM)
    liar.place.run("ip addr add 172.17.9.9/16 dev eth0")
    for source, arrives in (("172.17.9.9", False), (address(liar), True)):
        sender = liar.place.open_socket(kind=socket.SOCK_DGRAM)
        sender.bind((source, 0))
        sender.sendto(source.encode(), (address(victim), 80))
        if arrives:
            assert server.recv(64) == source.encode()


async def test_another_mac_gets_nowhere(world: World, net: KernelNetworking) -> None:
    liar, victim = await pair(world, net)
    liar.place.run(f"ip link set eth0 address {mac(victim)[:-2]}77")
    with pytest.raises(OSError, match=r"timed out|No route"):
        liar.place.reach(gateway(liar), 80, BRIEFLY)


@pytest.mark.parametrize("honest", [True, False])
async def test_an_arp_answer_for_another_is_dropped(world: World, net: KernelNetworking, honest: bool) -> None:
    liar, victim = await pair(world, net)
    ears = raw(victim, ETHER_ARP)
    claimed = address(liar) if honest else gateway(liar)
    mouth = raw(liar)
    ears.settimeout(BRIEFLY / 10)
    heard = b""
    # A link that is up may still lose its first frames: the kernel activates its queue a moment later (linkwatch).
    for _ in range(100 if honest else 10):
        mouth.send(frame(mac(liar), mac(victim), ETHER_ARP, arp_reply(mac(liar), claimed, address(victim))))
        with suppress(TimeoutError):
            heard = ears.recv(128)
            break
    assert (socket.inet_aton(claimed) in heard) == honest


async def test_a_zone_is_no_dhcp_server(world: World, net: KernelNetworking) -> None:
    liar, victim = await pair(world, net)
    ears = victim.place.serve(68, kind=socket.SOCK_DGRAM)
    for port, arrives in ((67, False), (6700, True)):
        sender = liar.place.open_socket(kind=socket.SOCK_DGRAM)
        sender.bind(("0.0.0.0", port))
        sender.sendto(str(port).encode(), (address(victim), 68))
        if arrives:
            assert ears.recv(64) == b"6700"


async def test_no_ipv6_from_a_zone_that_has_none(world: World, net: KernelNetworking) -> None:
    liar, victim = await pair(world, net)
    for zone, own in ((liar, "fd00::1"), (victim, "fd00::2")):
        zone.place.run(f"ip addr add {own}/64 dev eth0 nodad")
    victim.place.serve(80, address="::")
    with pytest.raises(OSError, match=r"timed out|No route"):
        liar.place.reach("fd00::2", 80, BRIEFLY)


async def test_ipv6_of_another_and_its_advertisement_get_nowhere(world: World, net: KernelNetworking) -> None:
    liar, victim = await pair(world, net, ipv6=True)
    own, other = (zone.plugs.plugs[0].endpoint for zone in (liar, victim))
    server = victim.place.serve(80, address="::", kind=socket.SOCK_DGRAM)
    liar.place.run(f"ip addr add {own.gateway6[:-1]}999/64 dev eth0 nodad")
    for source, arrives in ((f"{own.gateway6[:-1]}999", False), (own.ipv6, True)):
        sender = liar.place.open_socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sender.bind((source, 0))
        sender.sendto(source.encode(), (other.ipv6, 80))
        if arrives:
            assert server.recv(64) == source.encode()


def checksum(source: str, target: str, message: bytes) -> bytes:
    """Of an ICMPv6 message with a checksum of zero (RFC 4443, section 2.3)."""
    whole = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target)
    whole += struct.pack("!II", len(message), socket.IPPROTO_ICMPV6) + message
    total: int = sum(struct.unpack(f"!{len(whole) // 2}H", whole))
    total = (total & 0xFFFF) + (total >> 16)
    return ((total + (total >> 16)) & 0xFFFF ^ 0xFFFF).to_bytes(2, "big")


def icmpv6(source: str, target: str, kind: int) -> bytes:
    """A packet with a message of this kind, of 16 bytes: as long as a router advertisement (RFC 4861, section 4.2)."""
    message = struct.pack("!BBH", kind, 0, 0) + struct.pack("!BBHII", 64, 0, 1800, 0, 0)
    message = message[:2] + checksum(source, target, message) + message[4:]
    head = struct.pack("!IHBB", 6 << 28, len(message), socket.IPPROTO_ICMPV6, 255)
    return head + socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, target) + message


async def test_a_zone_is_no_router(world: World, net: KernelNetworking) -> None:
    liar, victim = await pair(world, net, ipv6=True)
    own, other = (zone.plugs.plugs[0].endpoint.ipv6 for zone in (liar, victim))
    heard, said = raw(victim), raw(liar)
    heard.settimeout(BRIEFLY / 10)
    advertisement, redirect, before, after = 134, 137, 200, 201

    def say(kind: int) -> None:
        said.send(frame(mac(liar), mac(victim), ETHER_IPV6, icmpv6(own, other, kind)))

    def hear(last: int) -> set[int]:
        """The kinds that come until this one does; a link that is just up may lose its first frames."""
        kinds: set[int] = set()
        for _ in range(1000):
            try:
                packet = heard.recv(2000)
            except TimeoutError:
                say(last)
                continue
            if packet[12:14] == ETHER_IPV6.to_bytes(2, "big") and packet[20] == socket.IPPROTO_ICMPV6:
                kinds.add(packet[54])
                if packet[54] == last:
                    break
        return kinds

    say(before)
    assert before in hear(before)
    for kind in (advertisement, redirect, after):
        say(kind)
    assert {advertisement, redirect, after} & hear(after) == {after}
    for closing in (heard, said):
        closing.close()


async def test_a_zone_is_no_dhcpv6_server(world: World, net: KernelNetworking) -> None:
    liar, victim = await pair(world, net, ipv6=True)
    ears = victim.place.serve(546, address="::", kind=socket.SOCK_DGRAM)
    for port, arrives in ((547, False), (5470, True)):
        sender = liar.place.open_socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sender.bind(("::", port))
        sender.sendto(str(port).encode(), (victim.plugs.plugs[0].endpoint.ipv6, 546))
        if arrives:
            assert ears.recv(64) == b"5470"


async def test_tagged_frames_do_not_slip_through(world: World, net: KernelNetworking) -> None:
    liar, victim = await pair(world, net)
    ears = raw(victim)
    ears.settimeout(0.3)
    raw(liar).send(frame(mac(liar), mac(victim), 0x8100, b"\0\1\x08\x00" + b"hidden"))
    with pytest.raises(TimeoutError):
        while b"hidden" not in ears.recv(128):
            pass


@pytest.mark.parametrize("filtered", ["true", "false"])
async def test_a_zone_on_a_macvlan_is_who_it_says_unless_the_filter_is_off(
    world: World, net: KernelNetworking, filtered: str
) -> None:
    pool = Pool(subnet="10.53.0.0/24", gateway="10.53.0.1")
    options = {"parent": "up0", "zonehost.filtered": filtered}
    liar, other = await pair(world, net, pool, driver="macvlan", options=options)
    heard, said = raw(other), raw(liar)
    lies = [
        frame(mac(liar), mac(other), ETHER_ARP, arp_reply(mac(liar), "10.53.0.77", address(other))),
        frame("02:00:00:00:00:66", mac(other), ETHER_ARP, arp_reply(mac(liar), address(liar), address(other))),
        frame(mac(liar), mac(other), ETHER_ARP, arp_reply("02:00:00:00:00:66", address(liar), address(other))),
        frame(mac(liar), mac(other), ETHER_EXPERIMENTAL, bytes(46)),
    ]
    truth = frame(mac(liar), mac(other), ETHER_ARP, arp_reply(mac(liar), address(liar), address(other)))
    for sent in (*lies, truth):
        with suppress(OSError):  # what netfilter drops on its way out is the sender's error
            said.send(sent)
    got = []
    while (now := heard.recv(2000)) != truth:
        got.append(now)
    assert [lie for lie in lies if lie in got] == ([] if filtered == "true" else lies)
    for closing in (heard, said):
        closing.close()
