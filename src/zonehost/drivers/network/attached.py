"""The zones that are attached, whose each link on the host is, and which links are just being made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from zonehost.drivers.network.names import Names
from zonehost.ports.network import ZonePlugs


class Attached:
    """By zone, with all its plugs; by link, the zone. Iterates over the plugs of each zone."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._zones: dict[str, ZonePlugs] = {}
        self._owners: dict[str, str] = {}
        self._coming: set[str] = set()

    def __iter__(self) -> Iterator[ZonePlugs]:
        return iter(tuple(self._zones.values()))

    def __bool__(self) -> bool:
        return bool(self._zones)

    @property
    def zones(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(self._zones)

    @property
    def links(self) -> set[str]:
        """The host's ends of all their links, and those that are just being made."""
        return self._owners.keys() | self._coming

    def put(self, plugs: ZonePlugs) -> ZonePlugs | None:
        """Take in a zone, or what it has now; what it had before."""
        before = self.pop(plugs.zone)
        self._zones[plugs.zone] = plugs
        self._owners.update(dict.fromkeys(self.ends(plugs), plugs.zone))
        return before

    def pop(self, zone: str) -> ZonePlugs | None:
        """Forget a zone; what it had."""
        had = self._zones.pop(zone, None)
        for name in self.ends(had) if had is not None else ():
            self._owners.pop(name, None)
        return had

    def owners(self, links: Collection[str] | None) -> set[str]:
        """The zones whose the links are, of those that are attached; None is all links."""
        if links is None:
            return set(self._zones)
        return {self._owners[name] for name in links if name in self._owners}

    def ends(self, plugs: ZonePlugs) -> list[str]:
        """The host's ends of a zone's links to bridges."""
        return [self._names.veth(plug.endpoint.id) for plug in plugs.plugs if plug.network.driver == "bridge"]

    @contextmanager
    def coming(self, links: Iterable[str]) -> Iterator[None]:
        """Links that are being made: a zone's, which is put in before this ends, or a network's."""
        names = set(links)
        self._coming |= names
        try:
            yield
        finally:
            self._coming -= names
