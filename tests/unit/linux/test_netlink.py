"""Netlink messages as bytes, against the layouts in linux/netlink.h and linux/rtnetlink.h."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from zonehost.linux import netlink_links as rt
from zonehost.linux.netlink import attribute, attributes, nested, text, u32


def test_attributes_are_padded_and_read_back() -> None:
    data = attribute(1, b"abc") + text(2, "eth0") + u32(3, 7)
    assert data[:8] == b"\x07\x00\x01\x00abc\x00"
    assert list(attributes(data)) == [(1, b"abc"), (2, b"eth0\0"), (3, b"\x07\0\0\0")]


def test_nested_attributes_carry_the_flag_and_are_read_without_it() -> None:
    data = nested(18, text(1, "veth"))
    assert int.from_bytes(data[2:4], "little") == 18 | 0x8000
    [(kind, inner)] = attributes(data)
    assert (kind, list(attributes(inner))) == (18, [(1, b"veth\0")])


@pytest.mark.parametrize("broken", [b"\x03\x00\x01\x00", b"\x00\x00\x00\x00", b"\x01"])
def test_a_broken_attribute_ends_the_reading(broken: bytes) -> None:
    assert list(attributes(broken)) == []


def test_a_veth_pair_names_its_peer_and_the_peers_namespace() -> None:
    request = rt.new_veth("zv1", master=7, mtu=1400, peer=rt.Peer(33, "eth0", "02:42:00:00:00:02"))
    outer = dict(attributes(request.body[16:]))
    assert (outer[3], outer[10], outer[4]) == (b"zv1\0", b"\x07\0\0\0", (1400).to_bytes(4, "little"))
    information = dict(attributes(outer[18]))
    [(_, peer)] = attributes(information[2])
    inner = dict(attributes(peer[16:]))
    assert information[1] == b"veth\0"
    assert (inner[3], inner[1], inner[28]) == (b"eth0\0", bytes.fromhex("024200000002"), b"\x21\0\0\0")


def test_an_ipv6_address_skips_duplicate_detection_and_an_ipv4_one_has_none() -> None:
    six = rt.new_address(2, ip_interface("fd00::2/64")).body
    four = rt.new_address(2, ip_interface("10.0.0.2/24")).body
    assert (six[0], six[1], dict(attributes(six[8:]))[8]) == (10, 64, b"\x02\0\0\0")
    assert (four[0], four[1], 8 in dict(attributes(four[8:]))) == (2, 24, False)


def test_a_default_route_has_no_destination() -> None:
    values = dict(attributes(rt.new_route(ip_network("0.0.0.0/0"), 5, gateway=ip_address("10.0.0.1")).body[12:]))
    assert values == {5: b"\x0a\0\0\1", 4: b"\5\0\0\0"}
