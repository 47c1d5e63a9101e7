"""All networks of the host, by id and by name, and who has which address in them."""

from __future__ import annotations

from collections.abc import Iterator

from zonehost.domain.identity import looks_like_id
from zonehost.domain.ipam import Leases
from zonehost.domain.network import Network
from zonehost.domain.phase import Phase
from zonehost.errors import InvalidParameter, NotFound


class Networks:
    """Iterates in the order of creation."""

    def __init__(self) -> None:
        self._networks: dict[str, Network] = {}
        self._names: dict[str, str] = {}
        self._leases: dict[str, Leases] = {}

    def __iter__(self) -> Iterator[Network]:
        return iter(tuple(self._networks.values()))

    def get(self, network_id: str) -> Network | None:
        """By whole id, half-made ones too."""
        return self._networks.get(network_id)

    def named(self, name: str) -> Network | None:
        """By name, half-made ones too."""
        return self._networks.get(self._names.get(name, ""))

    def find(self, ref: str) -> Network:
        """By id, name or unambiguous beginning of an id, in this order.

        Raises:
            NotFound: there is none. InvalidParameter: the beginning is of several.
        """
        network = self._networks.get(ref) or self.named(ref)
        if network is None and ref and looks_like_id(ref):
            matching = [network for key, network in self._networks.items() if key.startswith(ref)]
            if len(matching) > 1:
                raise InvalidParameter(f"network {ref} is ambiguous ({len(matching)} matches found based on ID prefix)")
            network = matching[0] if matching else None
        if network is None or network.phase is not Phase.WHOLE:
            raise NotFound(f"network {ref} not found")
        return network

    def leases(self, network: Network) -> Leases:
        """The addresses of a network."""
        leases = self._leases.get(network.id)
        if leases is None:
            leases = self._leases[network.id] = Leases(network)
        return leases

    def put(self, network: Network) -> None:
        """Take in a network, or its new record."""
        self._networks[network.id] = network
        self._names[network.name] = network.id

    def drop(self, network: Network) -> None:
        """Forget a network. Idempotent."""
        self._networks.pop(network.id, None)
        self._leases.pop(network.id, None)
        if self._names.get(network.name) == network.id:
            del self._names[network.name]
