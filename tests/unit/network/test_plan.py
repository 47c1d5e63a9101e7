"""What records mean: bridges, wires, gateways, ports."""

from __future__ import annotations

from ipaddress import ip_interface

import msgspec
import pytest

from zonehost.domain.host_config import PortBinding
from zonehost.domain.network import Endpoint, Network, Pool, PublishedPort
from zonehost.drivers.network import plan, publishing
from zonehost.drivers.network.names import Names
from zonehost.drivers.network.options import bridge_options, endpoint_options, macvlan_options
from zonehost.errors import InvalidParameter, Unsupported
from zonehost.ports.network import Plug, ZonePlugs

NAMES = Names("default")
NETWORK = Network(
    id="0123456789abcdef" * 4,
    name="web",
    driver="bridge",
    created=0,
    pools=(Pool(subnet="10.0.0.0/24", gateway="10.0.0.1"),),
)
DUAL = msgspec.structs.replace(
    NETWORK, name="dual", ipv6=True, pools=(*NETWORK.pools, Pool(subnet="fd00::/64", gateway="fd00::1"))
)


def plug(network: Network = NETWORK, *, identity: str = "fedcba9876543210" * 4, **fields: object) -> Plug:
    made = Endpoint(
        network=network.id, id=identity, mac="02:42:0a:00:00:02", ipv4="10.0.0.2", ipv4_prefix=24, gateway4="10.0.0.1"
    )
    if network.ipv6:
        made = msgspec.structs.replace(made, ipv6="fd00::2", ipv6_prefix=64, gateway6="fd00::1")
    return Plug(network, msgspec.structs.replace(made, **fields))


def with_options(**options: str) -> Network:
    return msgspec.structs.replace(NETWORK, options={name.replace("__", "."): text for name, text in options.items()})


def test_names_carry_the_instance_and_fit_the_kernel() -> None:
    names = {Names(text).bridge(NETWORK.id) for text in ("default", "other")}
    assert len(names) == 2
    assert {len(name) for name in names} == {15}
    assert Names("default").veth("fedcba98" * 8).endswith("fedcba98")


def test_a_bridge_has_the_gateways_of_its_pools() -> None:
    link = plan.bridge_link(NAMES, DUAL)
    assert link.addresses == (ip_interface("10.0.0.1/24"), ip_interface("fd00::1/64"))
    assert (link.ipv6, link.alias) == (True, f"zonehost-default {DUAL.id}")


def test_a_wire_of_a_bridge() -> None:
    only = plug()
    [wire] = plan.wires(NAMES, ZonePlugs("z", (only,))).values()
    assert (wire.kind, wire.parent, wire.host_name) == ("veth", NAMES.bridge(NETWORK.id), NAMES.veth(only.endpoint.id))
    assert (wire.addresses, wire.gateways) == ((ip_interface("10.0.0.2/24"),), ("10.0.0.1",))
    assert not wire.hairpin
    [wire] = plan.wires(
        NAMES, ZonePlugs("z", (only,), (PublishedPort(port=80, protocol="tcp", host_ip="", host_port=1),))
    ).values()
    assert wire.hairpin


@pytest.mark.parametrize(
    ("parent", "base", "vlan", "dummy"),
    [
        ("eth0", "", 0, False),
        ("eth0.50", "eth0", 50, False),
        ("br.lan.4094", "br.lan", 4094, False),
        ("eth0.0", "", 0, False),
        ("eth0.4095", "", 0, False),
        ("eth0.x", "", 0, False),
        (".50", "", 0, False),
        ("", "", 0, True),
    ],
)
def test_the_parent_of_a_macvlan(parent: str, base: str, vlan: int, dummy: bool) -> None:
    network = msgspec.structs.replace(with_options(parent=parent), driver="macvlan")
    link = plan.parent_link(NAMES, network)
    assert (link.base, link.vlan, link.dummy) == (base, vlan, dummy)
    assert link.name == (parent or NAMES.bridge(NETWORK.id))
    [wire] = plan.wires(NAMES, ZonePlugs("z", (plug(network),))).values()
    assert (wire.parent, wire.gateways, wire.filtered) == (link.name, () if dummy else ("10.0.0.1",), True)


def test_a_routed_port_is_asked_of_no_host_port() -> None:
    routed = plug(with_options(com__docker__network__bridge__gateway_mode_ipv4="routed"))
    [wanted] = publishing.wanted_ports({"80/tcp": (PortBinding(host_port="8080"),)}, (routed,), "")
    assert (wanted.addresses, wanted.routed) == ((), ("0.0.0.0",))


def test_the_default_route_goes_by_priority_then_name() -> None:
    one = plug(identity="1" * 64)
    two = Plug(msgspec.structs.replace(NETWORK, name="a"), msgspec.structs.replace(one.endpoint, id="2" * 64))
    three = plug(identity="3" * 64, gateway_priority=1)
    inside = plug(identity="4" * 64, gateway4="", gateway_priority=9)
    assert plan.gateway_plug((one, two), 4) is two
    assert plan.gateway_plug((one, two, three, inside), 4) is three
    assert plan.gateway_plug((inside,), 4) is None
    assert plan.gateway_plug((one,), 6) is None


def test_hosts_and_none_have_no_wire() -> None:
    host = msgspec.structs.replace(NETWORK, driver="host")
    assert plan.wires(NAMES, ZonePlugs("z", (plug(host),))) == {}


def test_the_kernels_own_link_local_address() -> None:
    assert str(plan.link_local("02:42:ac:11:00:02")) == "fe80::42:acff:fe11:2"


def bindings(**fields: str) -> dict[str, tuple[PortBinding, ...]]:
    return {"80/tcp": (PortBinding(**fields),)}


def test_ports_are_wanted_in_the_families_that_the_zone_has() -> None:
    [wanted] = publishing.wanted_ports(bindings(host_port="8080"), [plug()], "")
    assert (wanted.port, wanted.protocol, wanted.addresses, wanted.first, wanted.last) == (
        80, "tcp", ("0.0.0.0",), 8080, 8080,
    )  # fmt: skip
    [wanted] = publishing.wanted_ports(bindings(host_port="8000-8010"), [plug(DUAL)], "")
    assert (wanted.addresses, wanted.first, wanted.last) == (("0.0.0.0", "::"), 8000, 8010)
    [wanted] = publishing.wanted_ports(bindings(), [plug()], "127.0.0.1")
    assert (wanted.addresses, wanted.first) == (("127.0.0.1",), 0)
    named = with_options(com__docker__network__bridge__host_binding_ipv4="192.0.2.1")
    [wanted] = publishing.wanted_ports(bindings(), [plug(named)], "127.0.0.1")
    assert wanted.addresses == ("192.0.2.1",)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"0/tcp": ()}, "invalid port specification: 0/tcp"),
        ({"70000/tcp": ()}, "invalid port specification: 70000/tcp"),
        ({"80/icmp": ()}, "unknown protocol icmp"),
        ({"80/tcp": (PortBinding(host_port="9-8"),)}, "invalid port specification: 9-8"),
        ({"80/tcp": (PortBinding(host_ip="nowhere"),)}, "invalid host address nowhere"),
        ({"80/tcp": (PortBinding(host_ip="2001:db8::1"),)}, "has no IPv6 address"),
    ],
)
def test_ports_that_cannot_be(asked: dict[str, tuple[PortBinding, ...]], words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        publishing.wanted_ports(asked, [plug()], "")


def test_ports_of_a_zone_that_nothing_reaches_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="no network of the container can be reached"):
        publishing.wanted_ports(bindings(), [plug(gateway4="")], "")


def test_published_ports_lead_to_the_zone_in_each_family() -> None:
    ports = tuple(
        PublishedPort(port=80, protocol="tcp", host_ip=ip, host_port=8080) for ip in ("0.0.0.0", "::", "127.0.0.1")
    )
    found = publishing.published(ZonePlugs("z", (plug(DUAL),), ports))
    assert [(one.host_ip, one.address) for one in found] == [
        ("", "10.0.0.2"), ("", "fd00::2"), ("127.0.0.1", "10.0.0.2"),
    ]  # fmt: skip


def test_known_options_are_read() -> None:
    options = bridge_options(
        with_options(
            com__docker__network__bridge__enable_icc="false",
            com__docker__network__bridge__enable_ip_masquerade="0",
            com__docker__network__driver__mtu="1450",
            com__docker__network__container_iface_prefix="net",
        )
    )
    assert (options.talking, options.masquerade, options.mtu, options.prefix) == (False, False, 1450, "net")
    assert plan.wall(NAMES, with_options(com__docker__network__bridge__enable_ip_masquerade="0")).masqueraded == ()


def test_unknown_options_are_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="network driver option speed is not supported"):
        bridge_options(with_options(speed="11"))
    with pytest.raises(Unsupported, match="option ipvlan_mode"):
        macvlan_options(with_options(ipvlan_mode="l2"))
    with pytest.raises(Unsupported, match="option weight"):
        endpoint_options(plug(driver_options={"weight": "1"}).endpoint)


@pytest.mark.parametrize(
    "options",
    [
        {"com__docker__network__bridge__enable_icc": "maybe"},
        {"com__docker__network__driver__mtu": "-5"},
        {"com__docker__network__bridge__name": "a name"},
        {"com__docker__network__bridge__name": "sixteen-letters!"},
        {"com__docker__network__host_ipv4": "fd00::1"},
        {"com__docker__network__bridge__gateway_mode_ipv4": "magic"},
        {"com__docker__network__bridge__gateway_mode_ipv4": "isolated"},
    ],
)
def test_values_that_cannot_be(options: dict[str, str]) -> None:
    with pytest.raises(InvalidParameter):
        bridge_options(with_options(**options))
