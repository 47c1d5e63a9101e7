"""Makes a layer's archive again, to the byte."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import msgspec

from zonehost.drivers.layers import skeleton
from zonehost.drivers.layers.staging import FACTS, REPLACED, SKELETON, TREE, Facts
from zonehost.errors import SystemFailure
from zonehost.tar.digest import Digester
from zonehost.tar.writer import gathered

_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK: Final = 1 << 20


def read_facts(folder: str, name: str = FACTS) -> Facts:
    """What is known of the layer in a folder, as one of its files says."""
    with open(f"{folder}/{name}", "rb") as file:
        return msgspec.json.decode(file.read(), type=Facts)


def pack(folder: str) -> Iterator[bytes | memoryview]:
    """The layer's uncompressed archive, in large chunks.

    Raises:
        SystemFailure: what is on disk is not what came in; known only at the end.
        OSError: the disk or the kernel failed.
    """
    facts = read_facts(folder)
    digester = Digester()
    for chunk in gathered(_pieces(folder, facts)):
        digester.update(chunk)
        yield chunk
    found = digester.finish()
    if found != facts.layer.diff_id:
        raise SystemFailure(f"layer {facts.layer.diff_id} is damaged on disk: its archive is {found} now")


def _pieces(folder: str, facts: Facts) -> Iterator[bytes]:
    root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        contents = 0
        places = _Places(facts)
        with open(f"{folder}/{SKELETON}", "rb") as file:
            for record in skeleton.read(iter(lambda: file.read(_CHUNK), b"")):
                yield record.raw
                if record.path:
                    yield from _content(root, places.find(record.path, contents), record)
                    contents += 1
    finally:
        os.close(root)


def _content(root: int, path: bytes, record: skeleton.Record) -> Iterator[bytes]:
    fd = os.open(path, _FILE, dir_fd=root)
    try:
        for offset, length in record.extents:
            position, end = offset, offset + length
            while position < end:
                chunk = os.pread(fd, min(_CHUNK, end - position), position)
                if not chunk:
                    raise SystemFailure(f"a file of a layer is cut off on disk: {os.fsdecode(path)}")
                position += len(chunk)
                yield chunk
    finally:
        os.close(fd)


class _Places:
    """Where files are now: in the tree, or moved away to make room for a later member of the same archive."""

    def __init__(self, facts: Facts) -> None:
        self._moves: dict[bytes, list[tuple[int, int]]] = {}
        for number, (path, before) in enumerate(facts.replaced):
            self._moves.setdefault(path, []).append((number, before))

    def find(self, path: bytes, content: int) -> bytes:
        """The path in the layer's folder of the file that gave the archive its `content`-th content."""
        moves = []
        place = path
        while place and self._moves:
            moves += [(number, place) for number, before in self._moves.get(place, ()) if content < before]
            place = place.rpartition(b"/")[0]
        if not moves:
            return b"%s/%s" % (TREE.encode(), path)
        number, place = min(moves)
        return b"%s/%d%s" % (REPLACED.encode(), number, path[len(place) :])
