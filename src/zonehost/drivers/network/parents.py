"""The links under an instance's macvlan networks: found, or made and taken away again with the last that needs them.

Knows which networks stand on which link; `wiring` makes the links.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import Executor

from zonehost.domain.network import Network
from zonehost.drivers.network import plan
from zonehost.drivers.network.names import Names
from zonehost.drivers.network.removal import LinkRemoval
from zonehost.drivers.network.threads import in_thread
from zonehost.drivers.network.wiring import Wiring
from zonehost.errors import ZonehostError

_log = logging.getLogger(__name__)


class Parents:
    """Those of one instance."""

    def __init__(self, executor: Executor, names: Names, wiring: Wiring, removal: LinkRemoval) -> None:
        self._executor = executor
        self._names = names
        self._wiring = wiring
        self._removal = removal
        self._networks: dict[str, Network] = {}

    @property
    def known(self) -> set[str]:
        """Their names."""
        return {self._name(network) for network in self._networks.values()}

    @property
    def networks(self) -> tuple[Network, ...]:
        """Those that stand on them."""
        return tuple(self._networks.values())

    async def add(self, network: Network) -> None:
        """Have a link for the network.

        Raises:
            InvalidParameter: there is none, and none can be made.
        """
        parent = plan.parent_link(self._names, network)
        await in_thread(self._executor, self._wiring.ensure_parent, parent)
        self._networks[network.id] = network

    async def remove(self, networks: Iterable[Network]) -> None:
        """Take away what was made for these networks and no other stands on. Idempotent."""
        names = {self._name(network) for network in networks}
        for network in networks:
            self._networks.pop(network.id, None)
        if gone := names - self.known:
            links = await in_thread(self._executor, self._wiring.ours)
            await self._removal.remove(link.name for link in links if link.name in gone)

    async def restore(self, networks: Iterable[Network]) -> None:
        """Know these, and have their links; the host may have lost one, which is no reason not to start."""
        self._networks = {network.id: network for network in networks}
        for network in self._networks.values():
            try:
                await self.add(network)
            except ZonehostError as error:
                _log.error("network %s cannot be used: %s", network.name, error)

    async def close(self) -> None:
        """Take all away that was made."""
        await self.remove(list(self._networks.values()))

    def _name(self, network: Network) -> str:
        return plan.parent_link(self._names, network).name
