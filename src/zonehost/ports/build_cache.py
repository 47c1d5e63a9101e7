"""Steps that were carried out before, by all that they read."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Protocol

import msgspec

from zonehost.ports.provenance import Provenance


class CachedStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a step made. Times are nanoseconds since the epoch.

    `outside` says what of the world beyond its inputs the step asked: a package index, a URL, an address.
    """

    key: str
    layer: str
    """Diff id; empty if the step made no layer."""
    instruction: str
    made: int
    used: int
    size: int = 0
    seconds: float = 0.0
    outside: tuple[str, ...] = ()


class BuildCache(Protocol):
    """The steps of one data root. Small and local: calls return at once."""

    def get(self, key: str) -> CachedStep | None:
        """The step with this key."""

    def put(self, step: CachedStep) -> None:
        """Remember a step, on disk when this returns."""

    def steps(self) -> Iterable[CachedStep]:
        """All of them."""

    def layers(self) -> frozenset[str]:
        """Diff ids of the layers that steps made: they are in use while the step is remembered."""

    def remove(self, keys: Iterable[str]) -> None:
        """Forget steps. Idempotent."""

    def note(self, provenance: Provenance) -> None:
        """Remember what an image came from, on disk when this returns."""

    def provenance(self, image: str) -> Provenance | None:
        """What the image came from, if it was built here."""

    def forget(self, image: str) -> None:
        """Forget what an image came from, as it is gone. Idempotent."""

    def keep_provenance(self, images: Container[str]) -> None:
        """Forget all images but these."""
