"""Makes a layer of what a zone has changed: the upper directory of its overlay."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Container, Iterator, Sequence
from typing import Final

import msgspec

from zonehost.domain.mount_places import MOUNT_PLACES
from zonehost.drivers.layers import whiteouts
from zonehost.drivers.layers.staging import Facts, Staging
from zonehost.errors import InvalidParameter
from zonehost.linux.tree_removal import remove_tree
from zonehost.tar import block, entry, pax, writer
from zonehost.tar.digest import Digester
from zonehost.tar.entry import Entry, shown
from zonehost.tar.scan import Found, Scanner, read_xattrs, reading

EMPTY: Final = f"sha256:{hashlib.sha256(writer.END).hexdigest()}"
"""The diff id of a layer in which nothing is."""


def changes_nothing(upper: str, below: Sequence[str]) -> bool:
    """Whether there is nothing in an upper directory that a layer would hold. Quick, however much there is.

    `below`: the trees that it lies on, lowest first.

    Raises:
        OSError: the disk or the kernel failed.
    """
    root = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os.scandir(root) as inner:
            found = (Scanner().find(root, os.fsencode(each.name), os.fsencode(each.name)) for each in inner)
            return all(each is None or _is_mount_place(each, below) for each in found)
    finally:
        os.close(root)


def commit(
    upper: str, folder: str, known: Container[str], below: Sequence[str] = (), epoch: int | None = None
) -> Facts:
    """Write the archive of an upper directory, unpacking it into the new folder of a layer on the way.

    `below`: the trees that it lies on, lowest first.

    Nothing stays in the folder if the layer is a known one, such as that of a command that changes nothing. `epoch`
    (seconds) is the latest time that any file may bear. The process's umask is to be 0.

    Raises:
        InvalidParameter: a file cannot be in a layer; nothing remains.
        OSError: the disk or the kernel failed; nothing remains.
    """
    root = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    digester = Digester()
    try:
        with Staging(folder) as staging:

            def note(raw: bytes) -> None:
                digester.update(raw)
                staging.note(raw)

            for found in Scanner().walk(root):
                if _is_mount_place(found, below):
                    continue
                with reading(found) as content:
                    for member in _members(found.member, epoch):
                        note(writer.header(member))
                        staging.add(member, digester.watch(content))
                        note(bytes(block.padding(member.size)))
            note(writer.END)
            facts = staging.finish(digester.finish(), digester.size)
        if facts.layer.diff_id in known:
            remove_tree(folder)
        return facts
    finally:
        os.close(root)


def _is_mount_place(found: Found, below: Sequence[str]) -> bool:
    """Whether it is here only so that something could be mounted on it, or below it."""
    if found.member.name not in MOUNT_PLACES:
        return False
    if found.member.kind != entry.DIRECTORY:
        return found.member.kind == entry.REGULAR and not found.member.size
    folder = os.open(found.base, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=found.holder)
    try:
        with os.scandir(folder) as inner:
            return not any(inner) and _is_as_below(found.member, below)
    finally:
        os.close(folder)


def _is_as_below(member: Entry, below: Sequence[str]) -> bool:
    """Whether the directory has the mode, owner and attributes of the one that the layers show, if they show any."""
    for tree in reversed(below):
        path = os.path.join(os.fsencode(tree), member.name)
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(status.st_mode):
            return True
        before = msgspec.structs.replace(
            member,
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            xattrs=read_xattrs(path),
        )
        return whiteouts.unescaped(before) == whiteouts.unescaped(member)
    return True


def _members(found: Entry, epoch: int | None) -> Iterator[Entry]:
    """What stands in the archive for a file of the upper directory."""
    holder, slash, base = found.name.rpartition(b"/")
    time = found.mtime if epoch is None else min(found.mtime, epoch * pax.SECOND)
    if whiteouts.is_whiteout(found):
        yield Entry(name=holder + slash + whiteouts.PREFIX + base, mode=0, mtime=time)
        return
    if base.startswith(whiteouts.PREFIX):
        raise InvalidParameter(f"a layer cannot hold a file whose name begins with .wh.: /{shown(found.name)}")
    member = whiteouts.unescaped(found)
    yield msgspec.structs.replace(member, mtime=time)
    if found.xattrs.get(whiteouts.OPAQUE_XATTR) == b"y":
        yield Entry(name=found.name + b"/" + whiteouts.OPAQUE, mode=0, mtime=time)
