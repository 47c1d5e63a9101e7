"""Networks as kernel objects: bridges, links, addresses, NAT, published ports.

The engine decides who has which address (domain.ipam); this port makes it so. Every verb is idempotent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from zonehost.domain.host_config import PortBinding
from zonehost.domain.network import Endpoint, Network, Pool, PublishedPort


@dataclass(frozen=True, slots=True)
class Plug:
    """An endpoint of a zone, the network that it is in, and what the other zones of that network call it there."""

    network: Network
    endpoint: Endpoint
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ZonePlugs:
    """All that the firewall and the resolver need to know of a zone. The order of the plugs is that of eth0, eth1, …

    `servers` are the name servers that it asks for what no zone is called (`--dns`), empty for the host's. `pid` is its
    process, if it runs.
    """

    zone: str
    plugs: tuple[Plug, ...]
    ports: tuple[PublishedPort, ...] = ()
    servers: tuple[str, ...] = ()
    pid: int = 0


class Networking(Protocol):
    """Makes networks and puts zones into them."""

    def check(self, network: Network) -> None:
        """Whether `create` could make such a network: its driver, its options and their values. Touches nothing.

        Raises:
            InvalidParameter: a value cannot be. NotFound: there is no such driver. Unsupported: the driver or an
            option, by name.
        """

    def options_of(self, network: Network) -> Mapping[str, str]:
        """The options that a network shows: what it was given, and of the default bridge what it was made with."""

    async def choose_pools(
        self, existing: Iterable[Network], *, ipv4: bool = True, ipv6: bool = False
    ) -> tuple[Pool, ...]:
        """Subnets with gateways that nothing on this host uses yet, nor a network of those that exist by then.

        They are nobody else's for a while, until a network is made of them, or `release_pools`.

        Raises:
            InvalidParameter: the configured pools are exhausted, in Docker's words.
        """

    def release_pools(self, pools: Iterable[Pool]) -> None:
        """Let others have subnets that were chosen, for no network is made of them. Idempotent."""

    async def is_contested(self, network: Network) -> bool:
        """Whether something on this host, other than the network's bridge, has addresses in its subnets, or routes."""

    async def create(self, network: Network) -> None:
        """Make what the network needs on the host. Idempotent: also the repair of what someone deleted.

        Raises:
            Conflict: an interface of the bridge's name exists and is not of this network.
        """

    async def remove(self, network: Network) -> None:
        """Take it away. Idempotent; no zone is in it."""

    async def reserve(
        self, zone: str, name: str, asked: Mapping[str, Sequence[PortBinding]], plugs: Sequence[Plug]
    ) -> tuple[PublishedPort, ...]:
        """Hold host ports for a zone (`80/tcp` to bindings), choosing ephemeral ones; taken before anything starts.

        The plugs have their addresses already: a port is held for the address families that the zone has.

        Raises:
            Conflict: a port is taken, in Docker's words; none is held then.
            InvalidParameter: a port or an address cannot be, or none of the zone's networks can be reached.
        """

    async def attach(self, netns: int, plugs: ZonePlugs) -> tuple[Endpoint, ...]:
        """Give the namespace (by descriptor) its loopback, links, addresses and routes; publish the ports.

        The endpoints come back with their interface names.
        """

    async def connect(self, pid: int, plugs: ZonePlugs, new: Plug) -> Endpoint:
        """Add one link to a running zone, by its process; `plugs` is all that it has afterwards.

        Raises:
            Conflict: the zone has just ended.
        """

    async def disconnect(self, pid: int, plugs: ZonePlugs, old: Plug) -> None:
        """Take one link from a running zone; `plugs` is all that it has afterwards."""

    async def rename(self, plugs: ZonePlugs) -> None:
        """Let others find a zone by the names of its plugs, and no longer by those that it had. Idempotent.

        Nothing happens if the zone is not attached.
        """

    async def detach(self, zone: str) -> None:
        """Remove links, firewall elements and held ports of a zone; complete when it returns. Idempotent.

        Also undoes a `reserve` that no `attach` followed.
        """

    async def restore(
        self, networks: Sequence[Network], zones: Sequence[ZonePlugs]
    ) -> Mapping[str, Sequence[Endpoint]]:
        """At start: make bridges and the whole firewall what the records say, hold the ports, sweep the rest.

        `zones` are those that run. Connections through the firewall are not disturbed. By zone, the endpoints that had
        to be linked anew, with their interface names: what a crash left half-connected.
        """

    async def repair(self) -> None:
        """Make bridges and the firewall what they shall be, and sweep what nobody knows, whatever goes on beside it."""

    async def mend(self, pid: int, plugs: ZonePlugs) -> tuple[Endpoint, ...]:
        """Make the links that a running zone has lost anew; their endpoints, with their interface names.

        Raises:
            Conflict: the zone has just ended. SystemFailure: the kernel refused.
        """

    def losses(self) -> AsyncIterator[str]:
        """The zones of which a link on this host has gone, as it goes: by somebody's hand, or for the zone has ended.

        Without an end. A zone may be told more than once, and also for a link that `disconnect` has just taken.
        """

    async def close(self) -> None:
        """At an orderly stop: if no zone is attached, leave nothing in the kernel; else leave all that zones use."""
