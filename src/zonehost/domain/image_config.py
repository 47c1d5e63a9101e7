"""The configuration of an image, as the OCI image specification (config.md) and Docker write it.

The bytes are the image's identity, so they are kept as they came; this module reads them, and writes new ones.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from zonehost.domain.config import Config
from zonehost.errors import InvalidParameter


class RootFs(msgspec.Struct, frozen=True, kw_only=True):
    """Diff ids of the layers, lowest first."""

    type: str = "layers"
    diff_ids: tuple[str, ...] | None = None


class HistoryStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a layer came to be, or a change without one."""

    created: str | None = None
    author: str = ""
    created_by: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """An image configuration; `os_version` and `os_features` are for other systems and only carried along."""

    architecture: str = ""
    os: str = ""
    variant: str = ""
    created: str | None = None
    author: str = ""
    comment: str = ""
    docker_version: str = ""
    config: Config | None = None
    rootfs: RootFs = RootFs()
    history: tuple[HistoryStep, ...] | None = None
    os_version: str = msgspec.field(default="", name="os.version")
    os_features: tuple[str, ...] | None = msgspec.field(default=None, name="os.features")

    @property
    def run(self) -> Config:
        """What a container of this image starts from."""
        return self.config or Config()


_DECODER = msgspec.json.Decoder(ImageConfig)


def read_image_config(data: bytes) -> ImageConfig:
    """Decode a configuration.

    Raises:
        InvalidParameter: it is not one.
    """
    try:
        return _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise InvalidParameter(f"invalid image configuration: {error}") from error


def write_image_config(config: ImageConfig) -> bytes:
    """Encode a configuration, leaving out what is empty, as Docker does."""
    members: dict[str, Any] = {
        name: value for name, value in msgspec.to_builtins(config).items() if value not in ("", None)
    }
    members["config"] = {
        name: value for name, value in msgspec.to_builtins(config.run).items() if value not in ("", None, False)
    }
    return msgspec.json.encode(members)


def rfc3339(nanoseconds: int) -> str:
    """A time of the epoch as RFC 3339 with nanoseconds, in UTC."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def parse_rfc3339(text: str | None) -> int:
    """The nanoseconds since the epoch of an RFC 3339 time, 0 if there is none or it cannot be read."""
    if not text:
        return 0
    head, dot, tail = text.partition(".")
    fraction = ""
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        fraction, head = tail[:digits], head + tail[digits:]
    try:
        moment = datetime.fromisoformat(head)
    except ValueError:
        return 0
    return int(moment.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or 0)
