"""The bridges of an instance's networks: made, made again with the zones in them, and taken away.

Knows which there should be; `wiring` makes the links.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor

from zonehost.domain.network import Network
from zonehost.drivers.network import forwarding, plan
from zonehost.drivers.network.names import Names
from zonehost.drivers.network.removal import LinkRemoval
from zonehost.drivers.network.threads import in_thread
from zonehost.drivers.network.wiring import Wiring
from zonehost.ports.network import ZonePlugs


class Bridges:
    """Those of one instance."""

    def __init__(self, executor: Executor, names: Names, wiring: Wiring, removal: LinkRemoval) -> None:
        self._executor = executor
        self._names = names
        self._wiring = wiring
        self._removal = removal
        self._networks: dict[str, Network] = {}

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks that have one."""
        return tuple(self._networks.values())

    @property
    def known(self) -> set[str]:
        """Their names."""
        return {plan.bridge_name(self._names, network) for network in self.networks}

    async def add(self, network: Network) -> None:
        """Make that of a network. Raises ZonehostError."""
        await in_thread(self._executor, self._ensure, network)
        self._networks[network.id] = network

    def forget(self, network: Network) -> bool:
        """Leave it out from now on; whether it was there."""
        return self._networks.pop(network.id, None) is not None

    async def remove(self, networks: Iterable[Network]) -> None:
        """Take away those that are ours, as a stranger's of that name is not."""
        links = [plan.bridge_link(self._names, network) for network in networks]
        ours = [link.name for link in links if await in_thread(self._executor, self._wiring.owns, link)]
        await self._removal.remove(ours)

    async def restore(self, networks: Iterable[Network]) -> None:
        """Have those of these networks, and no others."""
        self._networks = {network.id: network for network in networks}
        await self.ensure()

    async def ensure(self) -> None:
        """Make those that are missing."""
        for network in self.networks:
            await in_thread(self._executor, self._ensure, network)

    async def rejoin(self, zones: Iterable[ZonePlugs]) -> None:
        """Put the links of running zones into theirs, where they are in none."""
        wires = [wire for zone in zones for wire in plan.wires(self._names, zone).values()]
        await in_thread(self._executor, self._wiring.rejoin, wires)

    def _ensure(self, network: Network) -> None:
        forwarding.enable(ipv6=network.ipv6)
        self._wiring.ensure_bridge(plan.bridge_link(self._names, network))
