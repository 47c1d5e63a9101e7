"""Connections that the kernel follows, forgotten by what they are (linux/netfilter/nfnetlink_conntrack.h).

A datagram's address is translated when its flow is first seen, and never again while the flow lives: a flow that is
older than a rule must be forgotten for the rule to take hold. Filters in deletions need Linux 6.8.
"""

from __future__ import annotations

import errno
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from zonehost.linux.netlink import Channel, Request, attribute, nested, u32

_DELETE: Final = 1 << 8 | 2
_ORIGINAL, _REPLY, _FILTER = 1, 2, 25
_TUPLE_IP, _TUPLE_PROTOCOL = 1, 2
_BY_SOURCE, _BY_PROTOCOL, _BY_DESTINATION_PORT = 1 << 0, 1 << 3, 1 << 5
_FAMILIES: Final = {4: 2, 6: 10}
_SOURCE_KINDS: Final = {4: 1, 6: 3}


def forget_answers_from(channel: Channel, address: IPv4Address | IPv6Address, protocol: int) -> None:
    """Forget the flows of an IP protocol that lead to this address, whatever address was asked.

    Raises:
        OSError: the kernel refused.
    """
    source = nested(_TUPLE_IP, attribute(_SOURCE_KINDS[address.version], address.packed))
    told = nested(_REPLY, source, _protocol(protocol))
    _delete(channel, address.version, told, original=0, reply=_BY_SOURCE | _BY_PROTOCOL)


def forget_port(channel: Channel, version: int, protocol: int, port: int) -> None:
    """Forget the flows of an IP version (4 or 6) and protocol whose first packet went to this port.

    Raises:
        OSError: the kernel refused.
    """
    told = nested(_ORIGINAL, _protocol(protocol, attribute(3, port.to_bytes(2, "big"))))
    _delete(channel, version, told, original=_BY_PROTOCOL | _BY_DESTINATION_PORT, reply=0)


def _protocol(number: int, *more: bytes) -> bytes:
    return nested(_TUPLE_PROTOCOL, attribute(1, bytes([number])), *more)


def _delete(channel: Channel, version: int, told: bytes, *, original: int, reply: int) -> None:
    chosen = nested(_FILTER, u32(1, original), u32(2, reply))
    try:
        channel.do(Request(_DELETE, 0, bytes([_FAMILIES[version], 0, 0, 0]) + told + chosen))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
