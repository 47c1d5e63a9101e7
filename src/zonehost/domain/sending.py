"""What a stream of `zonehost send` says of itself before its data."""

from __future__ import annotations

import base64
import binascii
from typing import ClassVar

import msgspec

from zonehost.domain.container import Container
from zonehost.domain.snapshot import Dataset
from zonehost.domain.volume import Volume
from zonehost.errors import InvalidParameter


class Origin(msgspec.Struct, frozen=True):
    """A snapshot as all hosts know it: the id that it got where it was taken, and its name."""

    id: str
    name: str


class Position(msgspec.Struct, frozen=True):
    """A place between two commands of a dataset's data. `trail` says which commands led there (linux.btrfs_stream)."""

    dataset: int = 0
    offset: int = 0
    trail: str = ""


class Token(msgspec.Struct, frozen=True):
    """What a sender must know to continue a stream that was cut; text for people to carry."""

    transfer: str
    of: str
    snapshot: Origin
    base: Origin | None
    position: Position

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).rstrip(b"=").decode()


def parse_token(text: str) -> Token:
    """Raises InvalidParameter if it is none."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Token)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidParameter("this is no token of a stream that was cut") from None


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
    transfer: str = ""
    """What the receiver calls the transfer that this stream continues."""
    position: Position = Position()
    """Where it continues."""
    size: int = 0
    """Roughly the bytes of data that follow, 0 if nobody looked."""


class Partial(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer that was cut, as the receiver keeps it for a while. Times are nanoseconds since the epoch."""

    kind: ClassVar[str] = "partial"

    id: str
    name: str
    """Of the new container or volume, as it was asked for; empty for the one in the head."""
    head: Head
    position: Position
    created: int
    expires: int

    @property
    def key(self) -> str:
        """What the store finds it by."""
        return self.id

    @property
    def token(self) -> Token:
        """What continues it."""
        return Token(self.id, self.head.of, self.head.snapshot, self.head.base, self.position)
