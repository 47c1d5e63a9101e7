"""The record of an image and of the names that point to images."""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image: its configuration to the byte, and the layers it stands on.

    `id` is `sha256:` and the digest of `config`, the image configuration as the OCI image specification has it.
    """

    kind: ClassVar[str] = "image"

    id: str
    config: bytes
    layers: tuple[str, ...]
    """Diff ids, lowest first."""
    size: int
    """Bytes that the layers hold, unpacked."""
    added: int
    """When it came to this host, in nanoseconds since the epoch."""
    parent: str = ""
    """The image that it was built on here, if it was."""

    @property
    def key(self) -> str:
        """What the store finds it by."""
        return self.id


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """A name of an image: `name` is canonical (docker.io/library/busybox:latest, or …@sha256:…)."""

    kind: ClassVar[str] = "tag"

    name: str
    image: str
    tagged: int

    @property
    def key(self) -> str:
        """What the store finds it by."""
        return self.name


NOTHING: Final = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
"""The digest of an archive without entries, which is a kibibyte of zeros (tar(5))."""


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer that is on disk whole. `diff_id` is sha256:…, the digest of its uncompressed archive."""

    diff_id: str
    size: int
    """Bytes of file content."""
    archive_size: int
    """Bytes of the uncompressed archive."""
