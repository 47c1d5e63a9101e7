"""Who is called what, and who may know: a view per zone over the networks that it is in. Pure.

A zone resolves the names of its own networks and no others, so it never resolves what it cannot reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from zonehost.drivers.network.resolver import wire


class Place(NamedTuple):
    """A zone in a network: its names there, its addresses, and its private names for others (alias to name)."""

    network: str
    network_name: str
    names: tuple[str, ...]
    ipv4: str = ""
    ipv6: str = ""
    links: tuple[tuple[str, str], ...] = ()


class Zone(NamedTuple):
    """A zone's places, the name servers that it asks for, and whether anything outside may be asked for it at all."""

    id: str
    places: tuple[Place, ...]
    servers: tuple[str, ...] = ()
    outside: bool = True


class _Network:
    """The zones of a network: who has which name, by name and zone; and by PTR name, what an address is called."""

    def __init__(self) -> None:
        self.zones: set[str] = set()
        self.holders: dict[str, dict[str, Place]] = {}
        self.reverse: dict[str, str] = {}


class Directory:
    """All zones and names of an instance."""

    def __init__(self) -> None:
        self._zones: dict[str, Zone] = {}
        self._networks: dict[str, _Network] = {}

    @property
    def zones(self) -> Mapping[str, Zone]:
        """The zones that are known."""
        return self._zones

    def put(self, zone: Zone) -> None:
        """Know this zone, in place of what was known of it."""
        self.drop(zone.id)
        self._zones[zone.id] = zone
        for place in zone.places:
            network = self._networks.setdefault(place.network, _Network())
            network.zones.add(zone.id)
            for name in _all_names(place):
                network.holders.setdefault(name, {})[zone.id] = place
            name = f"{place.names[0]}.{place.network_name}" if place.names else ""
            if name and wire.can_be_written(name):
                for address in filter(None, (place.ipv4, place.ipv6)):
                    network.reverse[wire.reverse_name(address)] = name

    def drop(self, zone: str) -> None:
        """Forget this zone. Idempotent."""
        old = self._zones.pop(zone, None)
        for place in old.places if old else ():
            network = self._networks[place.network]
            network.zones.discard(zone)
            for name in _all_names(place):
                holders = network.holders.get(name, {})
                holders.pop(zone, None)
                if not holders:
                    network.holders.pop(name, None)
            for address in filter(None, (place.ipv4, place.ipv6)):
                network.reverse.pop(wire.reverse_name(address), None)
            if not network.zones:
                del self._networks[place.network]

    def look_up(self, zone: str, name: str, kind: int) -> list[bytes] | None:
        """The values that answer a zone's question; None if no zone has this name, empty if it has none of the kind."""
        asking = self._zones.get(zone)
        if asking is None:
            return None
        if kind == wire.PTR:
            return self._reverse(asking, name)
        for place in asking.places:
            wanted = next((target for alias, target in place.links if alias.lower() == name), name).lower()
            network = self._networks[place.network]
            holders = network.holders.get(wanted) or network.holders.get(name)
            if holders:
                return _values(list(holders.values()), kind)
        return None

    def _reverse(self, asking: Zone, name: str) -> list[bytes] | None:
        for place in asking.places:
            found = self._networks[place.network].reverse.get(name)
            if found:
                return [wire.name_value(found)]
        return None


def _all_names(place: Place) -> list[str]:
    """The names in lower case, alone and followed by the network's, as Docker knows them."""
    names = [name.lower() for name in place.names]
    return [*names, *(f"{name}.{place.network_name.lower()}" for name in names)]


def _values(places: Sequence[Place], kind: int) -> list[bytes]:
    if kind not in (wire.A, wire.AAAA):
        return []
    addresses = (place.ipv6 if kind == wire.AAAA else place.ipv4 for place in places)
    return [wire.address_value(address) for address in dict.fromkeys(addresses) if address]
