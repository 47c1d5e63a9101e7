"""Elements of nftables sets and maps, added and deleted by nfnetlink: one transaction, tens of microseconds.

libnftables takes milliseconds for it once a set is large, since it reads the set first. Knows how the kernel lays out
keys and values (linux/netfilter/nf_tables.h), not what the sets are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

from zonehost.linux.netlink import CREATE, Channel, Request, attribute, nested, text

NETFILTER: Final = 12
"""The netlink family (NETLINK_NETFILTER)."""

FAMILIES: Final = {"inet": 1, "bridge": 7}
SUBSYSTEM: Final = 10
"""NFNL_SUBSYS_NFTABLES."""
_NEW_ELEMENTS: Final = SUBSYSTEM << 8 | 12
_DELETE_ELEMENTS: Final = SUBSYSTEM << 8 | 14
BATCH_BEGIN: Final = Request(0x10, 0, bytes([0, 0]) + SUBSYSTEM.to_bytes(2, "big"), acknowledged=False)
BATCH_END: Final = Request(0x11, 0, bytes([0, 0]) + SUBSYSTEM.to_bytes(2, "big"), acknowledged=False)
_TABLE, _SET, _ELEMENTS, _LIST_ELEMENT, _KEY, _DATA, _KEY_END, _VALUE = 1, 2, 3, 1, 1, 2, 10, 1
_ADDRESSES: Final = ("ipv4_addr", "ipv6_addr")
_PROTOCOLS: Final = {"tcp": 6, "udp": 17, "sctp": 132}
_PER_MESSAGE: Final = 200

_PACK: Final[dict[str, Callable[[str], bytes]]] = {
    "ifname": lambda word: word.encode().ljust(16, b"\0"),
    "ether_addr": lambda word: bytes.fromhex(word.replace(":", "")),
    "ipv4_addr": lambda word: IPv4Address(word).packed,
    "ipv6_addr": lambda word: IPv6Address(word).packed,
    "inet_proto": lambda word: bytes([_PROTOCOLS[word]]),
    "inet_service": lambda word: int(word).to_bytes(2, "big"),
}


@dataclass(frozen=True, slots=True)
class Packed:
    """An element as the kernel has it: its key, in a map its value, in a set of intervals the last key of its own."""

    key: bytes
    value: bytes = b""
    end: bytes = b""


@dataclass(frozen=True, slots=True)
class Change:
    """Elements of one set to add or delete."""

    family: str
    table: str
    set: str
    add: bool
    elements: tuple[Packed, ...]


def packed(kinds: Iterable[str], words: Iterable[str]) -> bytes:
    """A concatenation of nftables data types as the kernel has it: each part filled up to four bytes."""
    parts = (_PACK[kind](word) for kind, word in zip(kinds, words, strict=True))
    return b"".join(part + bytes(-len(part) % 4) for part in parts)


def packed_interval(kinds: Sequence[str], words: Sequence[str]) -> tuple[bytes, bytes]:
    """The first and the last key of a concatenation in which an address may be a prefix."""
    ends = [_ends(word) if kind in _ADDRESSES else (word, word) for kind, word in zip(kinds, words, strict=True)]
    return packed(kinds, (first for first, _ in ends)), packed(kinds, (last for _, last in ends))


def _ends(prefix: str) -> tuple[str, str]:
    network = ip_network(prefix)
    return str(network[0]), str(network[-1])


def commit(channel: Channel, changes: Iterable[Change]) -> None:
    """Make all the changes or none. To add what is there already is no error.

    Raises:
        OSError: one was refused; ENOENT: an element to delete, a set or a table is not there.
    """
    requests = [request for change in changes for request in _requests(change)]
    channel.do(BATCH_BEGIN, *requests, BATCH_END)


def _requests(change: Change) -> Iterable[Request]:
    head = bytes([FAMILIES[change.family], 0, 0, 0]) + text(_TABLE, change.table) + text(_SET, change.set)
    kind, flags = (_NEW_ELEMENTS, CREATE) if change.add else (_DELETE_ELEMENTS, 0)
    for start in range(0, len(change.elements), _PER_MESSAGE):
        listed = map(_element, change.elements[start : start + _PER_MESSAGE])
        yield Request(kind, flags, head + nested(_ELEMENTS, *listed))


def _element(element: Packed) -> bytes:
    parts = ((_KEY, element.key), (_KEY_END, element.end), (_DATA, element.value))
    return nested(_LIST_ELEMENT, *(nested(kind, attribute(_VALUE, data)) for kind, data in parts if data))
