"""Writes an archive of images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from zonehost.domain.image_config import parse_rfc3339, read_image_config
from zonehost.drivers.layers import documents
from zonehost.drivers.layers.pack import pack
from zonehost.ports.archives import ArchivedImage
from zonehost.tar import block, entry, writer
from zonehost.tar.entry import Entry

_SECOND: Final = 1_000_000_000


def save(images: Sequence[ArchivedImage], folder_of: Callable[[str], str]) -> Iterator[bytes | memoryview]:
    """The archive, its members in the order of their names; `folder_of` gives the folder of a layer by diff id.

    Raises:
        SystemFailure: a layer is damaged on disk; known only at its end.
        OSError: the disk or the kernel failed.
    """
    texts = documents.documents(images)
    layers = {documents.blob(layer.diff_id): layer for image in images for layer in image.layers}
    moments = _moments(images)
    yield _folder("blobs") + _folder("blobs/sha256")
    for name in sorted({*texts, *layers}):
        layer = layers.get(name)
        if layer is None:
            yield (
                _member(name, len(texts[name]), moments.get(name, 0))
                + texts[name]
                + bytes(block.padding(len(texts[name])))
            )
        else:
            yield _member(name, layer.archive_size, moments[name])
            yield from pack(folder_of(layer.diff_id))
            yield bytes(block.padding(layer.archive_size))
    yield writer.END


def _folder(name: str) -> bytes:
    return writer.header(Entry(name=name.encode(), kind=entry.DIRECTORY, mode=0o755))


def _moments(images: Sequence[ArchivedImage]) -> dict[str, int]:
    """When the image was made of which a configuration or a layer is, in nanoseconds since the epoch, by member."""
    found: dict[str, int] = {}
    for image in images:
        created = parse_rfc3339(read_image_config(image.config).created) // _SECOND * _SECOND
        digest = f"sha256:{hashlib.sha256(image.config).hexdigest()}"
        for name in (digest, *(layer.diff_id for layer in image.layers)):
            found.setdefault(documents.blob(name), created)
    return found


def _member(name: str, size: int, moment: int) -> bytes:
    return writer.header(Entry(name=name.encode(), size=size, mtime=moment))
