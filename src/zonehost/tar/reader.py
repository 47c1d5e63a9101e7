"""Reads an archive member by member from a stream.

Joins what belongs to one member: extended headers, long names, sparse maps, the header itself. Global extended headers
are passed over, as Docker and containerd do. Every byte that is not a member's content is offered to `note`, in order,
so that the archive can be made again to the byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from zonehost.errors import InvalidParameter
from zonehost.tar import block, entry, pax, sparse
from zonehost.tar.entry import Entry, Extents, shown
from zonehost.tar.source import Source

_MAX_EXTENSION: Final = 1 << 20
_MAX_ID: Final = (1 << 32) - 2
_MAX_TIME: Final = (1 << 62) * pax.SECOND
_MAX_DEVICE: Final = (0xFFF, 0xFFFFF)
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK, _GNU_SPARSE = b"x", b"g", b"L", b"K", b"S"
_KINDS: Final = {b"\0": entry.REGULAR, b"7": entry.REGULAR, _GNU_SPARSE: entry.REGULAR} | {
    kind: kind
    for kind in (
        entry.REGULAR,
        entry.HARD_LINK,
        entry.SYMLINK,
        entry.CHARACTER,
        entry.BLOCK_DEVICE,
        entry.DIRECTORY,
        entry.FIFO,
    )
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much an archive may hold: members, and bytes (of the archive, and of each file unpacked)."""

    entries: int = 2_000_000
    size: int = 1 << 37


class Reader:
    """The members of an archive: iterate, and take the `content` of each before going on, or leave it."""

    def __init__(self, source: Source, bounds: Bounds, note: Callable[[bytes], object] = len) -> None:
        self._source = source
        self._bounds = bounds
        self._note = note
        self._left = 0
        self._padding = 0

    def content(self) -> Iterator[memoryview]:
        """The stored content of the current member; all of it is to be consumed."""
        left, self._left = self._left, 0
        return self._source.pieces(left)

    def __iter__(self) -> Iterator[Entry]:
        count = 0
        while (header := self._next_header()) is not None:
            records: list[tuple[bytes, bytes]] = []
            name = link = None
            fields = block.parse(header)
            while fields.kind in (_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK):
                body = self._extension(fields.size)
                if fields.kind == _PAX:
                    records = list(pax.records(body))
                elif fields.kind == _LONG_NAME:
                    name = block.text(body)
                elif fields.kind == _LONG_LINK:
                    link = block.text(body)
                if (following := self._next_header()) is None:
                    raise InvalidParameter("the archive is cut off after an extended header")
                header, fields = following, block.parse(following)
            count += 1
            if count > self._bounds.entries:
                raise InvalidParameter(f"the archive holds more than {self._bounds.entries} files")
            member = self._member(header, fields, name, link, records)
            _check_fields(member)
            yield member
        for piece in self._source.rest():
            self._check(0)
            self._note(bytes(piece))

    def _next_header(self) -> bytes | None:
        """The next header block; None at the end of the archive, which two blocks of zeros or the stream's end mark."""
        for piece in self._source.pieces(self._left):
            self._note(bytes(piece))
        self._left = 0
        if self._source.ended():
            return None
        raw = self._source.take(self._padding + block.SIZE)
        self._note(raw)
        header = raw[self._padding :]
        self._padding = 0
        if header != block.ZERO:
            return header
        if self._source.ended():
            return None
        second = self._source.take(block.SIZE)
        self._note(second)
        if second != block.ZERO:
            raise InvalidParameter("the archive is damaged: a block of zeros stands before a header")
        return None

    def _extension(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_EXTENSION:
            raise InvalidParameter("the archive is damaged: an extended header is too large")
        raw = self._source.take(size + block.padding(size))
        self._note(raw)
        return raw[:size]

    def _take_noted(self, size: int) -> bytes:
        raw = self._source.take(size)
        self._note(raw)
        return raw

    def _member(
        self,
        header: bytes,
        fields: block.Header,
        name: bytes | None,
        link: bytes | None,
        records: list[tuple[bytes, bytes]],
    ) -> Entry:
        found = dict(records)
        if name is None:
            name = b"%s/%s" % (fields.prefix, fields.name) if fields.prefix else fields.name
        name = found.get(b"GNU.sparse.name") or found.get(b"path") or name
        kind = _KINDS.get(fields.kind)
        if kind is None:
            raise InvalidParameter(f"the archive holds a member of an unknown type, {fields.kind!r}: {shown(name)}")
        if kind == entry.REGULAR and name.endswith(b"/"):
            kind = entry.DIRECTORY  # as archivers wrote directories before ustar
        size = 0
        extents = None
        if kind == entry.REGULAR:
            size, extents = self._begin_content(header, fields, records, found)
        return Entry(
            name=name,
            kind=kind,
            mode=fields.mode & 0o7777,
            uid=pax.integer(found[b"uid"]) if found.get(b"uid") else fields.uid,
            gid=pax.integer(found[b"gid"]) if found.get(b"gid") else fields.gid,
            size=size,
            mtime=pax.nanoseconds(found[b"mtime"]) if found.get(b"mtime") else fields.mtime * pax.SECOND,
            link=found.get(b"linkpath") or (fields.link if link is None else link),
            device=fields.device,
            xattrs=pax.xattrs(found) if found else {},
            extents=extents,
        )

    def _begin_content(
        self, header: bytes, fields: block.Header, records: list[tuple[bytes, bytes]], found: dict[bytes, bytes]
    ) -> tuple[int, Extents | None]:
        """The file's size and extents; from here on, `_left` counts what is stored of it."""
        stored = pax.integer(found[b"size"]) if found.get(b"size") else fields.size
        self._check(stored)
        self._left, self._padding = stored, block.padding(stored)
        stated = found.get(b"GNU.sparse.realsize") or found.get(b"GNU.sparse.size")
        size = stored if stated is None else pax.integer(stated)
        if fields.kind == _GNU_SPARSE:
            size, numbers = sparse.from_header(header, self._take_noted)
        elif found.get(b"GNU.sparse.major") == b"1":
            taken, numbers = sparse.from_content(self._take_noted)
            if taken > stored:
                raise InvalidParameter("the archive has a sparse file whose map is damaged")
            self._left = stored - taken
        elif (in_records := sparse.from_records(records)) is not None:
            numbers = in_records
        else:
            return stored, None
        self._check(size)
        return size, sparse.checked(numbers, size, self._left)

    def _check(self, size: int) -> None:
        if size < 0:
            raise InvalidParameter("the archive is damaged: a file has a negative size")
        if size + self._source.taken > self._bounds.size:
            raise InvalidParameter(f"the archive holds more than {self._bounds.size} bytes")


def _check_fields(member: Entry) -> None:
    """Refuse what no file can have, so that no system call is ever asked for it."""
    if b"\0" in member.name or b"\0" in member.link or any(b"\0" in name for name in member.xattrs):
        raise InvalidParameter("the archive is damaged: a name has a NUL in it")
    fits = (
        0 <= member.uid <= _MAX_ID
        and 0 <= member.gid <= _MAX_ID
        and -_MAX_TIME <= member.mtime <= _MAX_TIME
        and all(0 <= given <= most for given, most in zip(member.device, _MAX_DEVICE, strict=True))
    )
    if not fits:
        raise InvalidParameter(
            f"the archive is damaged: an owner, time or device is out of range: {shown(member.name)}"
        )
