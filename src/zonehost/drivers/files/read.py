"""Tars of a zone's files: `docker cp` out of it, and `docker export`."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator
from typing import Final

import msgspec

from zonehost.drivers.files.paths import ZonePath
from zonehost.drivers.files.view import INSIDE
from zonehost.linux.openat import open_below
from zonehost.tar import block, entry, writer
from zonehost.tar.entry import Entry
from zonehost.tar.scan import Found, Scanner, reading

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_CAPABILITY: Final = b"security.capability"
_CAPABILITY_2: Final = 20
"""Bytes of a file capability of revision 2; revision 3 has the id of a user namespace's root behind them."""


def copied(root: int, path: ZonePath) -> Iterator[bytes | memoryview]:
    """A tar of what is at the path, under the path's last name. Of attributes it has capabilities only, as Docker's.

    Raises:
        NotFound, InvalidParameter: see `ZonePath.open`; before the first byte.
        OSError: the disk or the kernel failed.
    """
    found = path.open(root)
    scanner = Scanner()
    name = os.fsencode(path.base)
    if stat.S_ISDIR(os.fstat(found).st_mode):
        folder = os.open(b".", _FOLDER, dir_fd=found)
        yield from _member(scanner.find(folder, b".", name))
        if path.base == "/":
            for inner in scanner.walk(folder):
                yield from _member(_below_root(inner))
        else:
            for inner in scanner.walk(folder, name):
                yield from _member(inner)
    else:
        holder = open_below(root, os.fsencode(posixpath.dirname(path.clean)), _FOLDER, INSIDE)
        yield from _member(scanner.find(holder, os.fsencode(posixpath.basename(path.clean)), name))
    yield writer.END


def exported(root: int) -> Iterator[bytes | memoryview]:
    """A tar of everything below a root.

    Raises:
        OSError: the disk or the kernel failed.
    """
    folder = os.open(b".", _FOLDER, dir_fd=root)
    for found in Scanner().walk(folder):
        yield from _member(found, all_xattrs=True)
    yield writer.END


def _member(found: Found | None, *, all_xattrs: bool = False) -> Iterator[bytes | memoryview]:
    """A member with its content; nothing for a file that is gone, or that no tar can hold."""
    if found is None:
        return
    xattrs = {
        name: _portable(value) if name == _CAPABILITY else value
        for name, value in found.member.xattrs.items()
        if all_xattrs or name == _CAPABILITY
    }
    member = msgspec.structs.replace(found.member, xattrs=xattrs)
    try:
        with reading(found) as content:
            yield writer.header(member)
            yield from content
            yield bytes(block.padding(member.size))
    except FileNotFoundError:
        return


def _portable(capability: bytes) -> bytes:
    """A file capability without the namespace that it was given in (capabilities(7), VFS_CAP_REVISION)."""
    return capability[:3] + b"\2" + capability[4:_CAPABILITY_2] if capability[3:4] == b"\3" else capability


def _below_root(found: Found) -> Found:
    """Docker's names in a tar of the root begin with a slash."""
    link = b"/" + found.member.link if found.member.kind == entry.HARD_LINK else found.member.link
    member: Entry = msgspec.structs.replace(found.member, name=b"/" + found.member.name, link=link)
    return Found(member, found.holder, found.base)
