"""Takes in an archive of images in one pass: layers are unpacked as they come, documents kept until the end.

What a member is, its first bytes say: layers may come before the manifest that names them. Owns the pass; what the
documents mean is in `documents`.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from zonehost.drivers.layers import documents
from zonehost.drivers.layers.staging import Facts
from zonehost.drivers.layers.unpack import unpack
from zonehost.errors import InvalidParameter
from zonehost.tar import block, compression, entry
from zonehost.tar.compression import plain
from zonehost.tar.digest import Digester
from zonehost.tar.entry import Entry, relative, shown
from zonehost.tar.reader import Bounds, Reader
from zonehost.tar.source import Source

_DOCUMENT: Final = 8 << 20
_DOCUMENTS: Final = 64 << 20
_BLOBS: Final = b"blobs/sha256/"
_MAGIC: Final = slice(257, 262)
_MAX_LINKS: Final = 16


class LoadedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer of an archive: the folder that holds it now, or empty if it was in the pool before."""

    diff_id: str
    folder: str = ""
    facts: Facts | None = None


class LoadedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image of an archive, its layers lowest first."""

    config: bytes
    layers: tuple[LoadedLayer, ...]
    names: tuple[str, ...]


def load(
    chunks: Iterable[bytes], folder: str, known: frozenset[str], bounds: Bounds, architecture: str
) -> tuple[LoadedImage, ...]:
    """The images of an archive; their layers are unpacked below the new `folder`, but for those that are `known`.

    The process's umask is to be 0.

    Raises:
        InvalidParameter: it is no archive of images, damaged, hostile, or past the bounds.
        OSError: the disk or the kernel failed.
    """
    Path(folder).mkdir(mode=0o700)
    intake = _Intake(folder, known, bounds)
    reader = Reader(Source(plain(chunks)), bounds)
    for member in reader:
        intake.add(member, reader.content())
    images = []
    for described in documents.images(intake.document, architecture):
        layers = tuple(intake.layer(name) for name in described.layers)
        found = tuple(layer.diff_id for layer in layers)
        for number, (expected, got) in enumerate(zip(described.diff_ids, found, strict=True)):
            if expected != got:
                raise InvalidParameter(f'invalid diffID for layer {number}: expected "{expected}", got "{got}"')
        images.append(LoadedImage(config=described.config, layers=layers, names=described.names))
    return tuple(images)


class _Intake:
    def __init__(self, folder: str, known: frozenset[str], bounds: Bounds) -> None:
        self._folder = folder
        self._known = known
        self._bounds = bounds
        self._layers: dict[bytes, LoadedLayer] = {}
        self._documents: dict[bytes, bytes] = {}
        self._size = 0
        self._links: dict[bytes, bytes] = {}

    def add(self, member: Entry, content: Iterator[memoryview]) -> None:
        """Take in a member, or pass it over if it is nothing that an image has."""
        name = relative(member.name)
        if member.kind == entry.SYMLINK:
            self._links[name] = relative(posixpath.join(posixpath.dirname(b"/" + name), member.link))
        elif member.kind == entry.HARD_LINK:
            self._links[name] = relative(member.link)
        elif member.kind == entry.REGULAR:
            source = Source(map(bytes, content))
            if _is_layer(name, source.peek()):
                self._layers[name] = self._add_layer(name, source)
            else:
                self._add_document(name, member.size, source)

    def document(self, name: str) -> bytes | None:
        """A document of the archive, if it has it."""
        return self._documents.get(self._followed(name))

    def layer(self, name: str) -> LoadedLayer:
        """A layer of the archive.

        Raises:
            InvalidParameter: there is none of this name.
        """
        found = self._layers.get(self._followed(name))
        if found is None:
            raise InvalidParameter(f"the archive does not hold the layer {name} that it names")
        return found

    def _followed(self, name: str) -> bytes:
        path = relative(name.encode("utf-8", "surrogateescape"))
        for _ in range(_MAX_LINKS):
            if path not in self._links:
                break
            path = self._links[path]
        return path

    def _add_layer(self, name: bytes, source: Source) -> LoadedLayer:
        compressed = compression.detect(source.peek()) is not None
        stated = _stated(name)
        if not compressed and stated in self._known:
            digester = Digester()
            for piece in source.rest():
                digester.update(piece)
            return LoadedLayer(diff_id=_same(name, digester.finish(), stated))
        folder = f"{self._folder}/{len(self._layers)}"
        chunks = map(bytes, source.rest())
        if not compressed:
            facts = unpack(chunks, folder, self._bounds, stated if name.startswith(_BLOBS) else None)
        else:
            digester = Digester()
            facts = unpack(digester.watch(chunks), folder, self._bounds)
            digest = digester.finish()
            if name.startswith(_BLOBS):
                _same(name, digest, stated)
        return LoadedLayer(diff_id=facts.layer.diff_id, folder=folder, facts=facts)

    def _add_document(self, name: bytes, size: int, source: Source) -> None:
        if size > _DOCUMENT:
            for _ in source.rest():  # some other artefact, of no use here
                pass
            return
        self._size += size
        if self._size > _DOCUMENTS:
            raise InvalidParameter("the archive holds too many documents")
        content = source.take(size)
        if name.startswith(_BLOBS):
            _same(name, f"sha256:{hashlib.sha256(content).hexdigest()}", _stated(name))
        self._documents[name] = content


def _is_layer(name: bytes, beginning: bytes) -> bool:
    return (
        compression.detect(beginning) is not None
        or beginning[_MAGIC] == b"ustar"
        or beginning == block.ZERO
        or name.endswith(b".tar")
    )


def _stated(name: bytes) -> str:
    """The digest that a name has in it, as blobs of an OCI layout do, and layers as skopeo names them."""
    return f"sha256:{posixpath.basename(name).removesuffix(b'.tar').decode('ascii', 'replace')}"


def _same(name: bytes, digest: str, stated: str) -> str:
    if digest != stated:
        raise InvalidParameter(f"the archive is damaged: {shown(name)} has the digest {digest}")
    return digest
