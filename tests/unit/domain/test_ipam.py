"""Address leases and pools: Docker's rules, and its words when they are broken."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network

import pytest

from zonehost.domain.ipam import DEFAULT_BASES, Base, Leases, check_overlap, check_pools, first_free, with_gateway
from zonehost.domain.network import Endpoint, Network, Pool
from zonehost.errors import Forbidden, InvalidParameter, SystemFailure


def network(*pools: Pool, internal: bool = False) -> Network:
    return Network(id="ab" * 32, name="web", driver="bridge", created=0, pools=pools, internal=internal)


def endpoint(**asked: str) -> Endpoint:
    return Endpoint(network="ab" * 32, **asked)  # type: ignore[arg-type]


V4 = Pool(subnet="172.17.0.0/16", gateway="172.17.0.1")
V6 = Pool(subnet="fd00:1::/64", gateway="fd00:1::1")


def test_leases_are_the_lowest_free_addresses() -> None:
    leases = Leases(network(V4))
    one, two = leases.lease(endpoint()), leases.lease(endpoint())
    assert [one.ipv4, two.ipv4] == ["172.17.0.2", "172.17.0.3"]
    leases.release(one)
    leases.release(one)
    assert leases.lease(endpoint()).ipv4 == "172.17.0.2"
    assert leases.lease(endpoint()).ipv4 == "172.17.0.4"


def test_a_lease_has_prefix_gateway_and_a_mac_made_from_the_address() -> None:
    leased = Leases(network(V4)).lease(endpoint())
    assert (leased.ipv4_prefix, leased.gateway4, leased.mac) == (16, "172.17.0.1", "02:42:ac:11:00:02")
    assert (leased.ipv6, leased.ipv6_prefix, leased.gateway6) == ("", 0, "")


def test_two_families() -> None:
    leased = Leases(network(V4, V6)).lease(endpoint())
    assert (leased.ipv6, leased.ipv6_prefix, leased.gateway6) == ("fd00:1::2", 64, "fd00:1::1")


def test_an_internal_network_has_no_gateway_for_zones() -> None:
    leased = Leases(network(V4, V6, internal=True)).lease(endpoint())
    assert (leased.gateway4, leased.gateway6) == ("", "")


def test_what_is_asked_for_is_given() -> None:
    leases = Leases(network(V4, V6))
    leased = leases.lease(endpoint(asked_ipv4="172.17.9.9", asked_ipv6="fd00:1::9", asked_mac="02:00:00:00:00:09"))
    assert (leased.ipv4, leased.ipv6, leased.mac) == ("172.17.9.9", "fd00:1::9", "02:00:00:00:00:09")


def test_a_taken_address_is_dockers_error() -> None:
    leases = Leases(network(V4))
    leases.hold(endpoint(ipv4="172.17.0.5"))
    leases.hold(endpoint(ipv4="172.17.0.5"))
    for taken in ("172.17.0.5", "172.17.0.1", "172.17.0.0", "172.17.255.255"):
        with pytest.raises(Forbidden, match="Address already in use"):
            leases.lease(endpoint(asked_ipv4=taken))


def test_an_address_outside_is_dockers_error_and_nothing_stays_taken() -> None:
    leases = Leases(network(V4))
    with pytest.raises(InvalidParameter) as caught:
        leases.lease(endpoint(asked_ipv6="fd00:2::1"))
    assert str(caught.value) == (
        "invalid config for network web: invalid endpoint settings:\n"
        "no configured subnet or ip-range contain the IP address fd00:2::1"
    )
    assert leases.lease(endpoint()).ipv4 == "172.17.0.2"


def test_exhaustion_is_dockers_error() -> None:
    leases = Leases(network(Pool(subnet="10.0.0.0/30", gateway="10.0.0.1")))
    assert leases.lease(endpoint()).ipv4 == "10.0.0.2"
    with pytest.raises(SystemFailure) as caught:
        leases.lease(endpoint())
    assert str(caught.value) == (f"no available IPv4 addresses on this network's address pools: web ({'ab' * 32})")


def test_a_second_pool_follows_the_first() -> None:
    leases = Leases(
        network(Pool(subnet="10.0.0.0/30", gateway="10.0.0.1"), Pool(subnet="10.0.1.0/30", gateway="10.0.1.1"))
    )
    assert [leases.lease(endpoint()).ipv4 for _ in range(2)] == ["10.0.0.2", "10.0.1.2"]


def test_an_ip_range_and_auxiliary_addresses() -> None:
    pool = Pool(subnet="10.0.0.0/16", ip_range="10.0.5.0/30", gateway="10.0.0.1", auxiliary={"router": "10.0.5.1"})
    leases = Leases(network(pool))
    assert [leases.lease(endpoint()).ipv4 for _ in range(3)] == ["10.0.5.0", "10.0.5.2", "10.0.5.3"]
    assert leases.lease(endpoint(asked_ipv4="10.0.77.1")).ipv4 == "10.0.77.1"
    with pytest.raises(SystemFailure):
        leases.lease(endpoint())


def test_many_leases_do_not_slow_down() -> None:
    leases = Leases(network(V4))
    held = [leases.lease(endpoint()) for _ in range(2000)]
    assert len({one.ipv4 for one in held}) == 2000
    leases.release(held[0])
    assert leases.lease(endpoint()).ipv4 == held[0].ipv4


def test_the_gateway_is_the_first_address_of_the_range() -> None:
    assert with_gateway(Pool(subnet="10.1.0.0/24")).gateway == "10.1.0.1"
    assert with_gateway(Pool(subnet="10.1.0.0/24", ip_range="10.1.0.64/26")).gateway == "10.1.0.64"
    assert with_gateway(Pool(subnet="fd00::/64")).gateway == "fd00::1"
    assert with_gateway(Pool(subnet="10.1.0.0/24", gateway="10.1.0.9")).gateway == "10.1.0.9"


def test_the_first_free_subnet_overlaps_nothing() -> None:
    assert str(first_free(DEFAULT_BASES, [])) == "172.17.0.0/16"
    busy = [ip_network("172.17.3.0/24"), ip_network("172.18.0.0/15"), ip_network("fd00::/8")]
    assert str(first_free(DEFAULT_BASES, busy)) == "172.20.0.0/16"
    assert str(first_free(DEFAULT_BASES, [ip_network("172.16.0.0/12")])) == "192.168.0.0/20"


def test_no_free_subnet_is_dockers_error() -> None:
    with pytest.raises(InvalidParameter, match="all predefined address pools have been fully subnetted"):
        first_free([Base(IPv4Network("10.0.0.0/23"), 24)], [ip_network("10.0.0.0/24"), ip_network("10.0.1.7/32")])


@pytest.mark.parametrize(
    ("pool", "fault"),
    [
        (Pool(subnet="10.0.0.0"), "invalid subnet 10.0.0.0: invalid CIDR block notation"),
        (Pool(subnet="ten/8"), "invalid subnet ten/8: invalid CIDR block notation"),
        (Pool(subnet="10.0.0.1/24"), "invalid subnet 10.0.0.1/24: it should be 10.0.0.0/24"),
        (
            Pool(subnet="10.0.0.0/24", gateway="10.0.1.1"),
            "invalid gateway 10.0.1.1: parent subnet 10.0.0.0/24 doesn't contain this address",
        ),
        (Pool(subnet="10.0.0.0/24", gateway="x"), "invalid gateway x: invalid address"),
        (
            Pool(subnet="10.0.0.0/24", gateway="fd00::1"),
            "invalid gateway fd00::1: parent subnet is an IPv4 block",
        ),
        (
            Pool(subnet="10.0.0.0/24", ip_range="10.0.0.0/16"),
            "invalid ip-range 10.0.0.0/16: CIDR block is bigger than its parent subnet 10.0.0.0/24",
        ),
        (
            Pool(subnet="10.0.0.0/24", ip_range="10.0.9.0/25"),
            "invalid ip-range 10.0.9.0/25: parent subnet 10.0.0.0/24 doesn't contain ip-range",
        ),
        (
            Pool(subnet="10.0.0.0/24", ip_range="10.0.0.5/25"),
            "invalid ip-range 10.0.0.5/25: it should be 10.0.0.0/25",
        ),
        (
            Pool(subnet="10.0.0.0/24", auxiliary={"printer": "10.0.1.9"}),
            "invalid auxiliary address printer: parent subnet 10.0.0.0/24 doesn't contain this address",
        ),
    ],
)
def test_a_pool_that_does_not_hold_together(pool: Pool, fault: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        check_pools([pool])
    assert str(caught.value) == f"invalid network config:\n{fault}"


def test_several_faults_are_listed() -> None:
    with pytest.raises(InvalidParameter) as caught:
        check_pools([Pool(subnet="ten/8"), Pool(subnet="10.0.0.0/24", gateway="x")])
    assert str(caught.value).splitlines()[1:] == [
        "* invalid subnet ten/8: invalid CIDR block notation",
        "* invalid gateway x: invalid address",
    ]


def test_overlapping_pools_are_dockers_error() -> None:
    with pytest.raises(Forbidden, match="Pool overlaps with other one on this address space"):
        check_overlap([Pool(subnet="172.17.128.0/24")], [network(V4)])
    with pytest.raises(Forbidden, match="Pool overlaps"):
        check_overlap([Pool(subnet="10.0.0.0/8"), Pool(subnet="10.1.0.0/16")], [])
    check_overlap([Pool(subnet="172.18.0.0/16"), V6], [network(V4)])
