"""All volumes of the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zonehost.domain.phase import Phase
from zonehost.domain.volume import Volume
from zonehost.errors import Conflict, NotFound


class Volumes:
    """Iterates in the order of creation."""

    def __init__(self) -> None:
        self._volumes: dict[str, Volume] = {}
        self._leaving: set[str] = set()

    def __iter__(self) -> Iterator[Volume]:
        return iter(tuple(self._volumes.values()))

    def get(self, name: str) -> Volume | None:
        """By name, half-made ones too."""
        return self._volumes.get(name)

    def find(self, name: str) -> Volume:
        """By name.

        Raises:
            NotFound: there is none that is whole.
        """
        volume = self._volumes.get(name)
        if volume is None or volume.phase is not Phase.WHOLE:
            raise NotFound(f"get {name}: no such volume")
        return volume

    @contextmanager
    def leaving(self, name: str) -> Iterator[None]:
        """While a volume's removal is under way; one that failed may be tried again.

        Raises:
            Conflict: somebody removes it already.
        """
        if name in self._leaving:
            raise Conflict(f"removal of volume {name} is already in progress")
        self._leaving.add(name)
        try:
            yield
        finally:
            self._leaving.discard(name)

    def put(self, volume: Volume) -> None:
        """Take in a volume, or its new record."""
        self._volumes[volume.name] = volume

    def drop(self, name: str) -> None:
        """Forget a volume. Idempotent."""
        self._volumes.pop(name, None)
