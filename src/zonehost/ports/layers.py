"""Layers: content-addressed, read-only file trees, shared by all images and zones of a pool.

A layer is on disk whole or not at all: it is unpacked aside and then renamed. `diff_id` is `sha256:` and 64 digits, the
digest of the layer's uncompressed archive.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import Protocol

from zonehost.domain.image import Layer


class Layers(Protocol):
    """The layers of a pool."""

    def path(self, diff_id: str) -> str:
        """The host path of the layer's tree, in overlay form."""

    @property
    def foundation(self) -> str:
        """The host path of a tree that lies under every zone's root; it is there from the survey on.

        It holds what Docker puts into each container though no image has it.
        """

    async def complete(self, diff_ids: Sequence[str]) -> None:
        """Make ready what layers, lowest first, take from each other: then zones can stand on them. Idempotent.

        An archive may name a file without its directories, or hold a hard link to a file that only a layer below has.

        Raises:
            InvalidParameter: a hard link leads to a file that no layer has.
            NotFound: there is no such layer.
        """

    async def settle(self, diff_ids: Sequence[str]) -> None:
        """Complete the layers of a new image, and sync them to the disk. Idempotent.

        To be awaited before an image of these layers is recorded: a layer that no image has may be lost with power.

        Raises:
            InvalidParameter: a hard link leads to a file that no layer has.
            NotFound: there is no such layer.
        """

    def stack(self, diff_ids: Sequence[str]) -> tuple[str, ...]:
        """Host paths of the trees that a root of these layers is mounted from, lowest first: what `Root.layers` takes.

        Raises:
            NotFound: there is no such layer.
        """

    def get(self, diff_id: str) -> Layer | None:
        """The layer, if it is here whole."""

    async def unpack(self, archive: AsyncIterable[bytes], *, diff_id: str | None = None) -> Layer:
        """Take in a layer archive (tar; plain, gzip, zstd, bzip2 or xz, told by its first bytes).

        Raises:
            InvalidParameter: not an archive, hostile, past the bounds, or not of this diff id; nothing remains.
        """

    def pack(self, diff_id: str) -> AsyncIterator[bytes]:
        """The layer's uncompressed archive, the same to the byte as the one that came in.

        Raises:
            NotFound: there is no such layer.
        """

    def compressed(self, diff_id: str) -> AsyncIterator[bytes]:
        """The same archive in gzip, its header without a time: a layer gives the same bytes each time.

        Raises:
            NotFound: there is no such layer.
        """

    async def commit(self, upper: str, *, below: Sequence[str] = (), epoch: int | None = None) -> Layer:
        """Make a layer of an overlay's upper directory, which lies on the layers `below`, lowest first.

        `epoch` (seconds) bounds all times, for reproducible images.
        """

    async def remove(self, diff_id: str) -> None:
        """Remove it. Idempotent. The caller knows that nothing uses it."""

    async def listed(self) -> frozenset[str]:
        """Diff ids of all whole layers on disk; touches nothing."""

    async def survey(self) -> frozenset[str]:
        """Diff ids of all whole layers. What was left half-made by a crash is removed on the way."""
