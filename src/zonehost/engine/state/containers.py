"""All containers of the host, by id and by name."""

from __future__ import annotations

from collections.abc import Iterator

from zonehost.domain.container import Container
from zonehost.domain.identity import looks_like_id
from zonehost.domain.links import parse_link
from zonehost.domain.modes import network_name, other_container
from zonehost.domain.random_names import random_name
from zonehost.engine.state.zone import Zone
from zonehost.errors import Conflict, InvalidParameter, NotFound


class Containers:
    """Iterates in the order of creation. A name is taken from the moment its container is added."""

    def __init__(self) -> None:
        self._zones: dict[str, Zone] = {}
        self._names: dict[str, str] = {}

    def __iter__(self) -> Iterator[Zone]:
        return iter(tuple(self._zones.values()))

    def __len__(self) -> int:
        return len(self._zones)

    def get(self, container_id: str) -> Zone | None:
        """By whole id, half-made ones too."""
        return self._zones.get(container_id)

    def find(self, ref: str) -> Zone:
        """By id, name, link (`web/db`: what `web` calls `db`) or unambiguous beginning of an id, in this order.

        Raises:
            NotFound: there is none. InvalidParameter: the beginning is of several.
        """
        bare = ref.removeprefix("/")
        zone = self._zones.get(ref) or self._zones.get(self._names.get(bare, "")) or self._linked(bare)
        if zone is None and bare and looks_like_id(bare):
            matching = [zone for key, zone in self._zones.items() if key.startswith(bare) and zone.listed]
            if len(matching) > 1:
                raise InvalidParameter(f"multiple IDs found with provided prefix: {ref}")
            zone = matching[0] if matching else None
        if zone is None or not zone.listed:
            raise NotFound(f"No such container: {ref}")
        return zone

    def _linked(self, path: str) -> Zone | None:
        """What a container on the default bridge has a link to, by that one's name and the link's."""
        parent, slash, alias = path.partition("/")
        zone = self._zones.get(self._names.get(parent, "")) if slash else None
        if zone is None or network_name(zone.record.host_config.network_mode) != "bridge":
            return None
        names = (name for name, called in map(parse_link, zone.record.host_config.links or ()) if called == alias)
        other = next(names, "")
        return self._zones.get(other) or self._zones.get(self._names.get(other, ""))

    def network_owner(self, record: Container) -> Container:
        """The container whose network this one has: itself, unless it shares another's, which may share a third's.

        The last that is there, where one is gone or they share each other's.
        """
        seen: set[str] = set()
        while (other := other_container(record.host_config.network_mode)) and record.id not in seen:
            seen.add(record.id)
            try:
                record = self.find(other).record
            except NotFound:
                break
        return record

    def records(self) -> Iterator[Container]:
        """All records, half-made ones too: what they use is in use."""
        return (zone.record for zone in self)

    def free_name(self) -> str:
        """A random name that is not taken."""
        return random_name(self._names)

    def check_name(self, name: str) -> None:
        """Whether the name is free.

        Raises:
            Conflict: it is not.
        """
        holder = self._names.get(name)
        if holder is not None:
            raise Conflict(
                f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )

    def add(self, record: Container) -> Zone:
        """Take in a container.

        Raises:
            Conflict: its name is taken.
        """
        self.check_name(record.name)
        zone = Zone(record)
        self._zones[record.id] = zone
        self._names[record.name] = record.id
        return zone

    def restore(self, record: Container) -> Zone:
        """Take in a container that was read from the store; one on its way out may have lost its name to another."""
        zone = self._zones[record.id] = Zone(record)
        self._names.setdefault(record.name, record.id)
        return zone

    def rename(self, zone: Zone, old: str, new: str) -> None:
        """Take the new name and free the old one.

        Raises:
            Conflict: the new name is taken.
        """
        self.check_name(new)
        self._names[new] = zone.id
        self._names.pop(old, None)

    def drop(self, zone: Zone) -> None:
        """Forget a container and free its name. Idempotent."""
        self._zones.pop(zone.id, None)
        if self._names.get(zone.record.name) == zone.id:
            del self._names[zone.record.name]
