"""Messages of connection tracking."""

from __future__ import annotations

import ipaddress

from zonehost.drivers.connections import Log
from zonehost.linux.conntrack import Connection, parse
from zonehost.linux.netlink import attribute, nested


def message(source: str, target: str, protocol: int, port: int) -> bytes:
    first, second = ipaddress.ip_address(source), ipaddress.ip_address(target)
    kinds = (1, 2) if first.version == 4 else (3, 4)
    addresses = nested(1, attribute(kinds[0], first.packed), attribute(kinds[1], second.packed))
    ports = nested(2, attribute(1, bytes([protocol])), attribute(2, b"\xff\xff"), attribute(3, port.to_bytes(2, "big")))
    return nested(1, addresses, ports) + nested(2, addresses)


def test_reads_both_families() -> None:
    assert parse(message("10.0.0.2", "192.0.2.1", 6, 443)) == Connection("10.0.0.2", "192.0.2.1", 6, 443)
    assert parse(message("fd00::2", "2001:db8::1", 17, 123)) == Connection("fd00::2", "2001:db8::1", 17, 123)
    assert parse(b"") is None
    assert parse(nested(1, nested(2, attribute(1, b"\x06")))) is None


def test_a_log_keeps_each_address_once_and_no_look_ups() -> None:
    log = Log()
    for target, port in (("192.0.2.1", 443), ("192.0.2.1", 443), ("192.0.2.9", 53), ("2001:db8::1", 80)):
        log.add(Connection("10.0.0.2", target, 6, port))
    log.add(Connection("10.0.0.3", "192.0.2.7", 1, 0))
    assert log.from_source("10.0.0.2") == ("192.0.2.1:443", "[2001:db8::1]:80")
    assert log.from_source("10.0.0.3") == ("192.0.2.7",)
    assert log.from_source("10.0.0.4") == ()
