"""The ruleset as text: what of the state is in which set."""

from __future__ import annotations

from zonehost.drivers.network.firewall import (
    Bridge,
    Published,
    Station,
    bridge_elements,
    changes,
    merged,
    removal,
    ruleset,
    without,
    zone_elements,
)
from zonehost.linux.netlink_sets import Packed

PORT = Published("tcp", "", 8080, "172.17.0.2", 80)
PORT_AT = Published("udp", "127.0.0.1", 53, "172.17.0.2", 5353)
PORT6 = Published("sctp", "", 9, "fd00::2", 7)
ROUTED = Published("tcp", "", 80, "172.17.0.2", 80, routed=True)
STATION = Station("zv1", "02:42:ac:11:00:02", ("172.17.0.2", "fd00::2"))


def test_ports_by_family_and_host_address() -> None:
    assert zone_elements([PORT, PORT_AT, PORT6, ROUTED], []) == {
        ("inet", "ports4"): [(("tcp", "8080"), ("172.17.0.2", "80"))],
        ("inet", "ports4_at"): [(("127.0.0.1", "udp", "53"), ("172.17.0.2", "5353"))],
        ("inet", "ports6"): [(("sctp", "9"), ("fd00::2", "7"))],
        ("inet", "routed4"): [(("172.17.0.2", "tcp", "80"), ())],
    }


def test_a_station_may_send_as_itself() -> None:
    sender = ("zv1", "02:42:ac:11:00:02")
    assert zone_elements([], [STATION]) == {
        ("bridge", "stations"): [(sender, ())],
        ("bridge", "senders4"): [((*sender, "172.17.0.2"), ())],
        ("bridge", "senders6"): [((*sender, "fd00::2"), ())],
        ("bridge", "claims6"): [((*sender, "fd00::2"), ())],
    }


def test_a_bridges_walls() -> None:
    bridge = Bridge(
        "zb1", ("10.0.0.0/24", "fd00::/64"), masqueraded=("10.0.0.0/24",), sources=(("fd00::/64", "2001::1"),)
    )
    found = bridge_elements([bridge], metadata=True)
    assert found == {
        ("inet", "bridges"): [(("zb1",), ())],
        ("inet", "talking"): [(("zb1", "zb1"), ())],
        ("inet", "inside4"): [(("zb1", "10.0.0.0/24"), ())],
        ("inet", "inside6"): [(("zb1", "fd00::/64"), ())],
        ("inet", "masqueraded4"): [(("zb1", "10.0.0.0/24"), ())],
        ("inet", "sources6"): [(("zb1", "fd00::/64"), ("2001::1",))],
    }
    assert ("inet", "talking") not in bridge_elements([Bridge("zb1", talking=False)], metadata=True)
    assert bridge_elements([Bridge("zb1", internal=True)], metadata=True)["inet", "internal"] == [(("zb1",), ())]


def test_the_clouds_metadata_is_named_unless_allowed() -> None:
    assert bridge_elements([], metadata=False) == {
        ("inet", "metadata4"): [(("169.254.169.254",), ())],
        ("inet", "metadata6"): [(("fd00:ec2::254",), ())],
    }


def test_changes_are_laid_out_as_the_kernel_has_them() -> None:
    [change] = changes("t", zone_elements([PORT], []), add=True)
    assert (change.family, change.table, change.set, change.add) == ("inet", "t", "ports4", True)
    assert change.elements == (Packed(bytes((6, 0, 0, 0, 31, 144, 0, 0)), bytes((172, 17, 0, 2, 0, 80, 0, 0))),)
    [change] = changes("t", {("bridge", "stations"): [(("zv1", "02:42:ac:11:00:02"), ())]}, add=False)
    assert change.elements == (Packed(b"zv1".ljust(16, b"\0") + bytes.fromhex("0242ac1100020000")),)
    [change] = changes("t", {("inet", "inside4"): [(("zb1", "10.0.0.0/24"), ())]}, add=True)
    name = b"zb1".ljust(16, b"\0")
    assert change.elements == (Packed(name + bytes((10, 0, 0, 0)), b"", name + bytes((10, 0, 0, 255))),)
    elements = zone_elements([PORT], [STATION])
    assert changes("t", without(elements, elements), add=True) == []


def test_the_whole_replaces_what_was_there() -> None:
    text = ruleset("t", "zv9", merged(zone_elements([PORT], []), zone_elements([PORT], [STATION])))
    assert text.startswith(removal("t"))
    assert text.count("tcp . 8080 : 172.17.0.2 . 80") == 1
    assert 'iifname "zv9*" goto from_zone' in text
    assert '{ "zv1" . 02:42:ac:11:00:02 . 0xfd000000000000000000000000000002 }' in text
    assert "delete table inet t" in text
    assert "delete table bridge t" in text


def test_the_rules_do_not_depend_on_how_many_ports_there_are() -> None:
    def rules(count: int) -> list[str]:
        ports = [Published("tcp", "", 1000 + n, "172.17.0.2", n + 1) for n in range(count)]
        return [line for line in ruleset("t", "zv", zone_elements(ports, [])).splitlines() if "elements" not in line]

    assert len(rules(1)) == len(rules(1000))
