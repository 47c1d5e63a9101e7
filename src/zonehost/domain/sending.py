"""What a stream of `zonehost send` says of itself before its data."""

from __future__ import annotations

import msgspec

from zonehost.domain.container import Container
from zonehost.domain.snapshot import Dataset
from zonehost.domain.volume import Volume


class Origin(msgspec.Struct, frozen=True):
    """A snapshot as all hosts know it: the id that it got where it was taken, and its name."""

    id: str
    name: str


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot on its way. `base` is the snapshot that the data are the difference from, None for all of it."""

    snapshot: Origin
    of: str
    """The name of the container or volume."""
    created: int
    labels: dict[str, str]
    datasets: tuple[Dataset, ...]
    """As the sender names them, in the order of their data."""
    volumes: tuple[Volume, ...] = ()
    """The records of those of the datasets that are volumes."""
    base: Origin | None = None
    container: Container | None = None
    image: bytes = b""
    """The configuration of the container's image, to the byte."""
    image_names: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    """Diff ids of the layers whose data are in the stream."""
