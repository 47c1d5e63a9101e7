"""Networks as kernel objects: bridges, links, addresses, NAT, published ports.

The engine decides who has which address (domain.ipam); this port makes it so. Every verb is idempotent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from zonehost.domain.host_config import PortBinding
from zonehost.domain.network import Endpoint, Network, Pool, PublishedPort


@dataclass(frozen=True, slots=True)
class Plug:
    """An endpoint of a zone and the network that it is in."""

    network: Network
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class ZonePlugs:
    """All that the firewall needs to know of a zone."""

    zone: str
    plugs: tuple[Plug, ...]
    ports: tuple[PublishedPort, ...]


class Networking(Protocol):
    """Makes networks and puts zones into them."""

    async def choose_pools(self, existing: Sequence[Network], *, ipv6: bool = False) -> tuple[Pool, ...]:
        """Subnets with gateways that nothing on this host uses yet.

        Raises:
            Conflict: the configured pools are exhausted, in Docker's words.
        """

    async def create(self, network: Network) -> None:
        """Make what the network needs on the host. Idempotent: also the repair of what someone deleted."""

    async def remove(self, network: Network) -> None:
        """Take it away."""

    async def reserve(
        self, zone: str, name: str, asked: dict[str, tuple[PortBinding, ...]]
    ) -> tuple[PublishedPort, ...]:
        """Hold host ports for a zone (`80/tcp` to bindings), choosing ephemeral ones; taken before anything starts.

        Raises:
            Conflict: a port is taken, in Docker's words; none is held then.
        """

    async def attach(self, netns: int, plugs: ZonePlugs) -> tuple[Endpoint, ...]:
        """Give the namespace (by descriptor) its loopback, links, addresses and routes; publish the ports.

        The endpoints come back with their interface names.
        """

    async def connect(self, pid: int, plugs: ZonePlugs, new: Plug) -> Endpoint:
        """Add one link to a running zone, by its process; `plugs` is all that it has afterwards."""

    async def disconnect(self, pid: int, plugs: ZonePlugs, old: Plug) -> None:
        """Take one link from a running zone; `plugs` is all that it has afterwards."""

    async def detach(self, zone: str) -> None:
        """Remove links, firewall elements and held ports of a zone; complete when it returns."""

    async def restore(self, networks: Sequence[Network], zones: Sequence[ZonePlugs]) -> None:
        """At start: make bridges and the whole firewall what the records say, hold the ports, sweep the rest."""
