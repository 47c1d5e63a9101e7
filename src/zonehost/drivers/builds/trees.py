"""Trees that files are copied from: a context's index, or a directory. Paths are bytes, relative, b"" is the root."""

from __future__ import annotations

import errno
import hashlib
import os
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from zonehost.domain.path_patterns import PatternList
from zonehost.drivers.builds.index import Indexed, read_content
from zonehost.linux.openat import BENEATH, NO_SYMLINKS, open_below
from zonehost.tar import entry
from zonehost.tar.entry import Entry
from zonehost.tar.scan import Found, Scanner, reading

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MAX_LINKS: Final = 40


@dataclass(frozen=True, slots=True)
class Item:
    """A file of a tree; content and digest are for regular files, and valid until the next item is asked for."""

    member: Entry
    content: Callable[[], Iterator[memoryview]]
    digest: Callable[[], bytes]


class SourceTree(Protocol):
    """What can be copied from."""

    owned: bool
    """Whether the owners of files mean anything."""

    def find(self, path: bytes) -> Item | None:
        """What is at the path; links are not followed."""

    def names(self, path: bytes) -> list[bytes]:
        """The names in a directory, sorted."""

    def walk(self, path: bytes) -> Iterator[Item]:
        """All below a directory, each directory before its content."""


class IndexTree:
    """A context, without what its ignore patterns match."""

    owned = False

    def __init__(self, index: list[Indexed], archive: int, ignore: PatternList) -> None:
        self._archive = archive
        self._index = _kept(index, ignore) if ignore else index
        self._keys = [tuple(found.member.name.split(b"/")) for found in self._index]

    def find(self, path: bytes) -> Item | None:
        """See `SourceTree.find`."""
        if not path:
            return self._item(Indexed(Entry(name=b"", kind=entry.DIRECTORY, mode=0o755)))
        at = self._place(path)
        if at < len(self._index) and self._index[at].member.name == path:
            return self._item(self._index[at])
        return None

    def names(self, path: bytes) -> list[bytes]:
        """See `SourceTree.names`."""
        depth = path.count(b"/") + 1 if path else 0
        return [
            item.member.name.split(b"/")[depth] for item in self.walk(path) if item.member.name.count(b"/") == depth
        ]

    def walk(self, path: bytes) -> Iterator[Item]:
        """See `SourceTree.walk`."""
        start = self._place(path) + 1 if path else 0
        prefix = path + b"/" if path else b""
        for at in range(start, len(self._index)):
            found = self._index[at]
            if not found.member.name.startswith(prefix):
                return
            yield self._item(found)

    def _place(self, path: bytes) -> int:
        return bisect_left(self._keys, tuple(path.split(b"/")))

    def _item(self, found: Indexed) -> Item:
        return Item(found.member, lambda: map(memoryview, read_content(self._archive, found)), lambda: found.digest)


def _kept(index: list[Indexed], ignore: PatternList) -> list[Indexed]:
    """The members that no pattern matches, and the directories that hold them."""
    matches: dict[bytes, tuple[bool, ...]] = {b"": ()}
    kept: dict[bytes, Indexed] = {}
    folders: dict[bytes, Indexed] = {}
    for found in index:
        name = found.member.name
        above = matches[name.rpartition(b"/")[0]]
        ignored, which = ignore.walk(os.fsdecode(name), above)
        if found.member.kind == entry.DIRECTORY:
            matches[name] = which
            folders[name] = found
        if ignored:
            continue
        folder = name.rpartition(b"/")[0]
        missing = deque[bytes]()
        while folder and folder not in kept:
            missing.appendleft(folder)
            folder = folder.rpartition(b"/")[0]
        for each in missing:
            kept[each] = folders[each]
        kept[name] = found
    return list(kept.values())


class DiskTree:
    """A directory, such as an overlay of layers, by its descriptor."""

    owned = True

    def __init__(self, root: int) -> None:
        self._root = root

    def find(self, path: bytes) -> Item | None:
        """See `SourceTree.find`."""
        if not path:
            status = os.fstat(self._root)
            member = Entry(name=b"", kind=entry.DIRECTORY, mode=status.st_mode & 0o7777, mtime=status.st_mtime_ns)
            return Item(member, lambda: iter(()), lambda: b"")
        folder, _, base = path.rpartition(b"/")
        holder = self._open(folder)
        if holder is None:
            return None
        try:
            # A scanner of its own: a link count above 1 says nothing of a single file.
            found = Scanner().find(holder, base, path)
        finally:
            os.close(holder)
        if found is None:
            return None
        member = found.member

        def content() -> Iterator[memoryview]:
            again = self._open(folder)
            assert again is not None
            try:
                with reading(Found(member, again, base)) as pieces:
                    yield from pieces
            finally:
                os.close(again)

        return Item(member, content, lambda: _digest(content()))

    def names(self, path: bytes) -> list[bytes]:
        """See `SourceTree.names`."""
        fd = self._open(path)
        if fd is None:
            return []
        try:
            return sorted(os.fsencode(name) for name in os.listdir(fd))  # noqa: PTH208 (a descriptor has no path)
        finally:
            os.close(fd)

    def walk(self, path: bytes) -> Iterator[Item]:
        """See `SourceTree.walk`. Hard links within what is walked are members of that kind."""
        root = self._open(path)
        if root is None:
            return
        try:
            for found in Scanner().walk(root, path):
                yield _scanned(found)
        finally:
            os.close(root)

    def _open(self, folder: bytes) -> int | None:
        try:
            return open_below(self._root, folder, _FOLDER, BENEATH | NO_SYMLINKS)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return None
            raise


def _scanned(found: Found) -> Item:
    def content() -> Iterator[memoryview]:
        with reading(found) as pieces:
            yield from pieces

    return Item(found.member, content, lambda: _digest(content()))


def _digest(pieces: Iterator[memoryview]) -> bytes:
    hashed = hashlib.sha256()
    for piece in pieces:
        hashed.update(piece)
    return hashed.digest()


def follow(tree: SourceTree, path: bytes, *, last: bool = True, missing: bool = False) -> bytes | None:
    """The real path of what a path leads to, links followed as if the tree were the root; None if nothing is there.

    A final link is followed only if `last`. With `missing`, what is not there has the path that it would have.
    """
    left = deque(part for part in path.split(b"/") if part)
    real: list[bytes] = []
    links = 0
    while left:
        part = left.popleft()
        if part in (b".", b"..", b""):
            real = real[:-1] if part == b".." else real
            continue
        here = b"/".join([*real, part])
        item = tree.find(here)
        if item is None:
            if not missing:
                return None
        elif item.member.kind == entry.SYMLINK and (left or last):
            links += 1
            if links > _MAX_LINKS:
                return None
            target = item.member.link
            real = [] if target.startswith(b"/") else real
            left.extendleft(reversed(target.split(b"/")))
            continue
        real.append(part)
    return b"/".join(real)
