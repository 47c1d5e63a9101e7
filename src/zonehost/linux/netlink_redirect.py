"""Rules that lead a port of a local address to another one, by nfnetlink: the messages that libnftables would send.

For network namespaces that are entered in passing: libnftables' contexts of one process share what each frees at its
end, so a context for each namespace, on several threads, is not safe. Layouts of linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from zonehost.linux.netlink import APPEND, CREATE, Channel, Request, attribute, nested, text
from zonehost.linux.netlink_sets import BATCH_BEGIN, BATCH_END, SUBSYSTEM

_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = (SUBSYSTEM << 8 | kind for kind in (0, 2, 3, 6))
_IPV4: Final = 2
_HEAD: Final = bytes([_IPV4, 0, 0, 0])
_CHAIN: Final = "output"
_OUTPUT_HOOK, _DESTINATION_PRIORITY = 3, -100
_REGISTER_ADDRESS, _REGISTER_PORT = 1, 2
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_DESTINATION_OFFSET, _PORT_OFFSET = 16, 2
_META_PROTOCOL: Final = 16


@dataclass(frozen=True, slots=True)
class Redirect:
    """Packets made here for this address, protocol (an IP protocol number) and port go to another port of it."""

    address: IPv4Address
    protocol: int
    port: int
    to: int


def install(channel: Channel, table: str, redirects: Iterable[Redirect], *, again: bool) -> None:
    """Let the channel's namespace have these redirects in a table of this name; `again` if one may be there already.

    A transaction that deletes makes the end of its socket wait some 10 ms for an RCU grace period.

    Raises:
        OSError: the kernel refused; nothing was changed.
    """
    named = text(1, table)
    old = [Request(_NEW_TABLE, CREATE, _HEAD + named), Request(_DELETE_TABLE, 0, _HEAD + named)] if again else []
    hook = nested(4, _number(1, _OUTPUT_HOOK), _number(2, _DESTINATION_PRIORITY))
    chain = _HEAD + named + text(3, _CHAIN) + hook + text(7, "nat")
    rules = [
        Request(_NEW_RULE, CREATE | APPEND, _HEAD + named + text(2, _CHAIN) + nested(4, *_expressions(redirect)))
        for redirect in redirects
    ]
    channel.do(
        BATCH_BEGIN,
        *old,
        Request(_NEW_TABLE, CREATE, _HEAD + named),
        Request(_NEW_CHAIN, CREATE, chain),
        *rules,
        BATCH_END,
    )


def _expressions(redirect: Redirect) -> list[bytes]:
    address = redirect.address.packed
    return [
        _load_payload(_NETWORK_HEADER, _DESTINATION_OFFSET, len(address)),
        _equals(address),
        _expression("meta", _number(1, _REGISTER_ADDRESS), _number(2, _META_PROTOCOL)),
        _equals(bytes([redirect.protocol])),
        _load_payload(_TRANSPORT_HEADER, _PORT_OFFSET, 2),
        _equals(redirect.port.to_bytes(2, "big")),
        _load_value(_REGISTER_ADDRESS, address),
        _load_value(_REGISTER_PORT, redirect.to.to_bytes(2, "big")),
        _expression("nat", _number(1, 1), _number(2, _IPV4), _number(3, _REGISTER_ADDRESS), _number(5, _REGISTER_PORT)),
    ]


def _load_payload(base: int, offset: int, length: int) -> bytes:
    return _expression(
        "payload", _number(1, _REGISTER_ADDRESS), _number(2, base), _number(3, offset), _number(4, length)
    )


def _equals(value: bytes) -> bytes:
    return _expression("cmp", _number(1, _REGISTER_ADDRESS), _number(2, 0), nested(3, attribute(1, value)))


def _load_value(register: int, value: bytes) -> bytes:
    return _expression("immediate", _number(1, register), nested(2, attribute(1, value)))


def _expression(name: str, *parts: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *parts))


def _number(kind: int, value: int) -> bytes:
    """A 32-bit attribute in network byte order, as nf_tables has all its numbers."""
    return attribute(kind, value.to_bytes(4, "big", signed=value < 0))
