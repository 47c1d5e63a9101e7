"""Who has which address: subnets of networks, leases of endpoints. Arithmetic only, in Docker's rules and words.

Knows nothing of links, routes or what is really on the host: whoever does tells it which subnets are busy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import chain

import msgspec

from zonehost.domain.network import Endpoint, Network, Pool
from zonehost.errors import Forbidden, InvalidParameter, SystemFailure

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Base:
    """A block that networks without a subnet of their own are cut from, and the prefix length of the pieces."""

    block: Subnet
    size: int

    def pieces(self) -> Iterator[Subnet]:
        """The subnets of the block, lowest first."""
        return iter(self.block.subnets(new_prefix=self.size))


DEFAULT_BASES = (
    *(Base(IPv4Network(f"172.{second}.0.0/16"), 16) for second in range(17, 32)),
    Base(IPv4Network("192.168.0.0/16"), 20),
)


def overlap(one: Subnet, other: Subnet) -> bool:
    """Whether they share an address; those of different families never do."""
    return one.version == other.version and one.overlaps(other)


def first_free(bases: Iterable[Base], busy: Sequence[Subnet]) -> Subnet:
    """The first piece of the bases that overlaps nothing busy.

    Raises:
        InvalidParameter: there is none.
    """
    for base in bases:
        near = [subnet for subnet in busy if overlap(base.block, subnet)]
        for piece in base.pieces():
            if not any(overlap(piece, subnet) for subnet in near):
                return piece
    raise InvalidParameter("all predefined address pools have been fully subnetted")


def with_gateway(pool: Pool) -> Pool:
    """The pool with a gateway: its own, else the first address that may be given out."""
    if pool.gateway:
        return pool
    gateway = next(_candidates(pool), None)
    if gateway is None:
        raise InvalidParameter("no available addresses on this pool")
    return msgspec.structs.replace(pool, gateway=str(gateway))


def check_pools(pools: Sequence[Pool]) -> None:
    """Whether each pool holds together.

    Raises:
        InvalidParameter: all that is wrong with them, in Docker's words.
    """
    faults = list(chain.from_iterable(_faults(pool) for pool in pools))
    if faults:
        listed = faults[0] if len(faults) == 1 else "\n".join(f"* {fault}" for fault in faults)
        raise InvalidParameter(f"invalid network config:\n{listed}")


def check_overlap(pools: Sequence[Pool], existing: Iterable[Network]) -> None:
    """Whether the pools overlap each other or those of the existing networks.

    Raises:
        Forbidden: they do, in Docker's words.
    """
    taken = [ip_network(pool.subnet) for network in existing for pool in network.pools]
    for pool in pools:
        subnet = ip_network(pool.subnet)
        if any(overlap(subnet, other) for other in taken):
            raise Forbidden("invalid pool request: Pool overlaps with other one on this address space")
        taken.append(subnet)


def _faults(pool: Pool) -> Iterator[str]:
    try:
        subnet = ip_network(pool.subnet, strict=False)
    except ValueError:
        yield f"invalid subnet {pool.subnet}: invalid CIDR block notation"
        return
    if "/" not in pool.subnet:
        yield f"invalid subnet {pool.subnet}: invalid CIDR block notation"
    elif str(ip_address(pool.subnet.partition("/")[0])) != str(subnet.network_address):
        yield f"invalid subnet {pool.subnet}: it should be {subnet}"
    if pool.ip_range:
        yield from _range_faults(pool.ip_range, subnet)
    named = {f"auxiliary address {name}": address for name, address in pool.auxiliary.items()}
    if pool.gateway:
        named = {f"gateway {pool.gateway}": pool.gateway, **named}
    for what, address in named.items():
        fault = _address_fault(address, subnet)
        if fault:
            yield f"invalid {what}: {fault}"


def _range_faults(text: str, subnet: Subnet) -> Iterator[str]:
    try:
        block = ip_network(text, strict=False)
    except ValueError:
        yield f"invalid ip-range {text}: invalid CIDR block notation"
        return
    if block.version != subnet.version:
        yield f"invalid ip-range {text}: parent subnet is an IPv{subnet.version} block"
        return
    if block.prefixlen < subnet.prefixlen:
        yield f"invalid ip-range {text}: CIDR block is bigger than its parent subnet {subnet}"
    if str(ip_address(text.partition("/")[0])) != str(block.network_address):
        yield f"invalid ip-range {text}: it should be {block}"
    if not overlap(block, subnet):
        yield f"invalid ip-range {text}: parent subnet {subnet} doesn't contain ip-range"


def _address_fault(text: str, subnet: Subnet) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return "invalid address"
    if address.version != subnet.version:
        return f"parent subnet is an IPv{subnet.version} block"
    return "" if address in subnet else f"parent subnet {subnet} doesn't contain this address"


def _unusable(subnet: Subnet) -> frozenset[Address]:
    """Addresses that no host may have: network and broadcast of IPv4, the subnet-router anycast of IPv6 (RFC 4291)."""
    if isinstance(subnet, IPv4Network):
        return frozenset((subnet[0], subnet[-1])) if subnet.prefixlen < 31 else frozenset()
    return frozenset((subnet[0],)) if subnet.prefixlen < 127 else frozenset()


def _candidates(pool: Pool, first: int = 0) -> Iterator[Address]:
    """What the pool may give out, lowest first, from the position `first` of its range on."""
    subnet = ip_network(pool.subnet)
    unusable = _unusable(subnet)
    block = ip_network(pool.ip_range) if pool.ip_range else subnet
    for position in range(first, block.num_addresses):
        address = block[position]
        if address not in unusable:
            yield address


class _Book:
    """The taken addresses of one pool. Below the mark, all are taken."""

    def __init__(self, pool: Pool) -> None:
        self.subnet = ip_network(pool.subnet)
        self.gateway = pool.gateway
        self._pool = pool
        self._start = int(ip_network(pool.ip_range or pool.subnet)[0])
        self._mark = 0
        reserved = [*pool.auxiliary.values(), *([pool.gateway] if pool.gateway else [])]
        self._taken: set[Address] = {ip_address(text) for text in reserved}
        self._reserved = frozenset(self._taken)

    def next(self) -> Address | None:
        """The lowest free address, taken now; None if there is none."""
        for address in _candidates(self._pool, self._mark):
            if address not in self._taken:
                self._mark = int(address) - self._start + 1
                self._taken.add(address)
                return address
        return None

    def take(self, address: Address) -> bool:
        """Take this one; whether it was free."""
        if address in self._taken or address in _unusable(self.subnet):
            return False
        self._taken.add(address)
        return True

    def release(self, address: Address) -> None:
        """Give it back. Idempotent; what the pool itself reserves stays taken."""
        if address not in self._reserved:
            self._taken.discard(address)
            self._mark = max(0, min(self._mark, int(address) - self._start))


class Leases:
    """The addresses of one network, and which are taken."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._books = {4: [], 6: []}  # type: dict[int, list[_Book]]
        for pool in network.pools:
            book = _Book(pool)
            self._books[book.subnet.version].append(book)

    def lease(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint with addresses, prefixes, gateways and a MAC: those it asks for, else the lowest free ones.

        Raises:
            Forbidden: an address asked for is taken.
            InvalidParameter: an address asked for is in none of the network's subnets.
            SystemFailure: there is no free address.
        """
        addresses: dict[int, tuple[_Book, Address]] = {}
        try:
            for version, wanted in ((4, endpoint.asked_ipv4), (6, endpoint.asked_ipv6)):
                if self._books[version] or wanted:
                    addresses[version] = self._wanted(wanted) if wanted else self._any(version)
        except (Forbidden, InvalidParameter, SystemFailure):
            for book, address in addresses.values():
                book.release(address)
            raise
        filled = endpoint
        internal = self._network.internal
        if 4 in addresses:
            book, address = addresses[4]
            filled = msgspec.structs.replace(
                filled,
                ipv4=str(address),
                ipv4_prefix=book.subnet.prefixlen,
                gateway4="" if internal else book.gateway,
            )
        if 6 in addresses:
            book, address = addresses[6]
            filled = msgspec.structs.replace(
                filled,
                ipv6=str(address),
                ipv6_prefix=book.subnet.prefixlen,
                gateway6="" if internal else book.gateway,
            )
        return msgspec.structs.replace(filled, mac=endpoint.asked_mac or _mac(filled))

    def hold(self, endpoint: Endpoint) -> None:
        """Take what the endpoint already has: for records read at start. Idempotent."""
        for address in _held(endpoint):
            book = self._book(address)
            if book is not None:
                book.take(address)

    def release(self, endpoint: Endpoint) -> None:
        """Give back what the endpoint has. Idempotent."""
        for address in _held(endpoint):
            book = self._book(address)
            if book is not None:
                book.release(address)

    def _book(self, address: Address) -> _Book | None:
        return next((book for book in self._books[address.version] if address in book.subnet), None)

    def _wanted(self, text: str) -> tuple[_Book, Address]:
        try:
            address = ip_address(text)
        except ValueError:
            raise InvalidParameter(f"invalid IP address: {text}") from None
        book = self._book(address)
        if book is None:
            raise InvalidParameter(
                f"invalid config for network {self._network.name}: invalid endpoint settings:\n"
                f"no configured subnet or ip-range contain the IP address {address}"
            )
        if not book.take(address):
            raise Forbidden("Address already in use")
        return book, address

    def _any(self, version: int) -> tuple[_Book, Address]:
        for book in self._books[version]:
            address = book.next()
            if address is not None:
                return book, address
        raise SystemFailure(
            f"no available IPv{version} addresses on this network's address pools: "
            f"{self._network.name} ({self._network.id})"
        )


def _held(endpoint: Endpoint) -> list[Address]:
    return [ip_address(text) for text in (endpoint.ipv4, endpoint.ipv6) if text]


def _mac(endpoint: Endpoint) -> str:
    """A local MAC made from the address, as Docker's: an address given again has the MAC that neighbours remember."""
    packed = ip_address(endpoint.ipv4 or endpoint.ipv6).packed if endpoint.ipv4 or endpoint.ipv6 else bytes(4)
    return (b"\x02\x42" + packed[-4:]).hex(":")
