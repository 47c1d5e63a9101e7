"""Writes members as pax archives do: a ustar block each, with an extended header before it for what does not fit.

The bytes depend on nothing but the member, so the same files give the same archive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from zonehost.tar import block, entry, pax
from zonehost.tar.entry import Entry

END: Final = bytes(2 * block.SIZE)
"""Two blocks of zeros end an archive."""

_ENOUGH: Final = 1 << 20
_NAME: Final = 100
_PAX: Final = b"x"


def header(member: Entry) -> bytes:
    """What stands before the member's content; `block.padding` of its size follows the content.

    A sparse file is written with its zeros: readers of every kind understand it.
    """
    name = member.name + b"/" if member.kind == entry.DIRECTORY and not member.name.endswith(b"/") else member.name
    records = dict(_records(member, name))
    seconds = member.mtime // pax.SECOND
    fields = block.Header(
        name=name[:_NAME],
        mode=member.mode,
        uid=member.uid if b"uid" not in records else 0,
        gid=member.gid if b"gid" not in records else 0,
        size=member.size if b"size" not in records else 0,
        mtime=seconds if 0 <= seconds <= block.OCTAL_11 else 0,
        kind=member.kind,
        link=member.link[:_NAME],
        device=member.device,
        prefix=b"",
    )
    rendered = block.render(fields)
    if not records:
        return rendered
    body = pax.render(sorted(records.items()))
    extension = block.Header(b"PaxHeaders/", 0o644, 0, 0, len(body), 0, _PAX, b"", (0, 0), b"")
    return b"".join((block.render(extension), body, bytes(block.padding(len(body))), rendered))


def _records(member: Entry, name: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(name) > _NAME:
        yield b"path", name
    if len(member.link) > _NAME:
        yield b"linkpath", member.link
    if member.uid > block.OCTAL_7:
        yield b"uid", b"%d" % member.uid
    if member.gid > block.OCTAL_7:
        yield b"gid", b"%d" % member.gid
    if member.kind == entry.REGULAR and member.size > block.OCTAL_11:
        yield b"size", b"%d" % member.size
    if member.mtime % pax.SECOND or not 0 <= member.mtime // pax.SECOND <= block.OCTAL_11:
        yield b"mtime", pax.seconds(member.mtime)
    yield from pax.xattr_records(member.xattrs)


def gathered(pieces: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """The same bytes, small pieces joined, so that each is worth a system call."""
    waiting: list[bytes | memoryview] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _ENOUGH:
            yield waiting[0] if len(waiting) == 1 else b"".join(waiting)
            waiting, size = [], 0
    if size:
        yield b"".join(waiting)
