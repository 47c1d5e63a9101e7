"""A context as it is kept: its plain archive, and an index of members with the places and digests of their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from zonehost.errors import InvalidParameter
from zonehost.tar import entry
from zonehost.tar.compression import plain
from zonehost.tar.entry import Entry, relative, shown
from zonehost.tar.reader import Bounds, Reader
from zonehost.tar.source import Source

ARCHIVE: Final = "context.tar"
INDEX: Final = "context.index"
_CHUNK: Final = 1 << 20


class Indexed(msgspec.Struct, frozen=True, array_like=True):
    """A member: where its content begins in the archive, and the digest of the content."""

    member: Entry
    offset: int = 0
    digest: bytes = b""


def keep(chunks: Iterable[bytes], folder: str, bounds: Bounds) -> None:
    """Keep an archive, compressed or not, in a folder. Hard links become what they link to.

    Raises:
        InvalidParameter: it is not an archive, or is damaged or hostile.
        OSError: the disk or the kernel failed.
    """
    with Path(folder, ARCHIVE).open("wb") as file:

        def kept() -> Iterator[bytes]:
            for chunk in plain(chunks):
                file.write(chunk)
                yield chunk

        source = Source(kept())
        found: dict[bytes, Indexed] = {}
        reader = Reader(source, bounds)
        for member in reader:
            name = relative(member.name)
            if name:
                found[name] = _indexed(name, member, reader, source, found)
    ordered = [found[name] for name in sorted(_with_folders(found), key=_path_order)]
    Path(folder, INDEX).write_bytes(msgspec.msgpack.encode(ordered))


def _indexed(name: bytes, member: Entry, reader: Reader, source: Source, found: dict[bytes, Indexed]) -> Indexed:
    if member.kind == entry.HARD_LINK:
        target = found.get(relative(member.link))
        if target is None:
            raise InvalidParameter(f"the context has a hard link to what is not in it: {shown(member.name)}")
        return msgspec.structs.replace(target, member=msgspec.structs.replace(target.member, name=name))
    offset = source.taken
    digest = hashlib.sha256()
    for piece in reader.content():
        digest.update(piece)
    return Indexed(msgspec.structs.replace(member, name=name), offset, digest.digest())


def _with_folders(found: dict[bytes, Indexed]) -> dict[bytes, Indexed]:
    """With the directories that members imply."""
    for name in list(found):
        folder = name.rpartition(b"/")[0]
        while folder and folder not in found:
            found[folder] = Indexed(Entry(name=folder, kind=entry.DIRECTORY, mode=0o755))
            folder = folder.rpartition(b"/")[0]
    return found


def _path_order(name: bytes) -> tuple[bytes, ...]:
    """Sorts a directory before its content, and that before its next sibling."""
    return tuple(name.split(b"/"))


def read_index(folder: str) -> list[Indexed]:
    """The members of a context, in the order of their paths."""
    return msgspec.msgpack.decode(Path(folder, INDEX).read_bytes(), type=list[Indexed])


def read_content(archive: int, found: Indexed) -> Iterator[bytes]:
    """The content of a regular file, with the zeros of a sparse one."""
    at = 0
    offset = found.offset
    for start, length in found.member.extents or ((0, found.member.size),):
        yield from _zeros(start - at)
        end = offset + length
        while offset < end:
            chunk = os.pread(archive, min(_CHUNK, end - offset), offset)
            if not chunk:
                raise InvalidParameter("the context was cut off on disk")
            offset += len(chunk)
            yield chunk
        at = start + length
    yield from _zeros(found.member.size - at)


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield bytes(min(count, _CHUNK))
        count -= _CHUNK
