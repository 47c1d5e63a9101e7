"""Unpacks a tar into a directory of a zone: `docker cp` into it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from typing import Final

from zonehost.drivers.files.paths import ZonePath
from zonehost.errors import Conflict, Forbidden, InvalidParameter
from zonehost.tar import entry
from zonehost.tar.compression import plain
from zonehost.tar.entry import Entry, relative, shown
from zonehost.tar.extract import Extractor
from zonehost.tar.reader import Bounds, Reader
from zonehost.tar.source import Source
from zonehost.tar.tree import Tree

_BOUNDS: Final = Bounds(entries=1 << 40, size=1 << 60)
"""A client that may write here may fill the zone anyway."""


def unpack(
    root: int, path: ZonePath, chunks: Iterable[bytes], *, keep_kinds: bool, owner: tuple[int, int] | None
) -> None:
    """Unpack an archive, compressed or not, into the directory at the path; the process's umask is to be 0.

    Raises:
        NotFound, InvalidParameter: see `ZonePath.open_folder`. InvalidParameter: not an archive; or with `keep_kinds`,
        a directory would become something else or the reverse.
        Forbidden: it is read-only there.
        OSError: the disk or the kernel failed.
    """
    folder = path.open_folder(root)
    if os.fstatvfs(folder).f_flag & os.ST_RDONLY:
        same = os.fstat(folder).st_dev == os.fstat(root).st_dev
        raise Forbidden("container rootfs is marked read-only" if same else "mounted volume is marked read-only")

    def make_room(holder: int, where: bytes, base: bytes, is_folder: bool, member: Entry) -> None:
        becomes_folder = member.kind == entry.DIRECTORY
        if keep_kinds and is_folder != becomes_folder:
            here = f"{path.clean.rstrip('/')}/{os.fsdecode(where + b'/' + base if where else base)}"
            kinds = ("directory", "non-directory") if is_folder else ("non-directory", "directory")
            raise InvalidParameter(f'cannot overwrite {kinds[0]} "{here}" with {kinds[1]} "{path.clean}"')
        _remove(holder, base)

    tree = Tree(folder)
    extractor = Extractor(tree, make_room, owner)
    reader = Reader(Source(plain(chunks)), _BOUNDS)
    for member in reader:
        if name := relative(member.name):
            try:
                extractor.put(name, member, reader.content())
            except OSError as error:
                raise _told(error, path, member) from error
    extractor.finish()
    tree.close()


def _told(error: OSError, path: ZonePath, member: Entry) -> Exception:
    """What it means that a member cannot be put into a zone, if the member is to blame."""
    where = f"{path.clean.rstrip('/')}/{shown(member.name)}: {error.strerror}"
    match error.errno:
        case errno.ENOENT | errno.ENAMETOOLONG | errno.EINVAL | errno.EOVERFLOW:
            # A hard link to nothing, a name, or an owner that the zone's ids do not reach.
            return InvalidParameter(where)
        case errno.EROFS | errno.EPERM | errno.EACCES:
            # A read-only mount further down; a device, which root of a user namespace may not make (mknod(2)).
            return Forbidden(where)
        case _:
            return error


def _remove(holder: int, base: bytes) -> None:
    """Remove a file or a directory with all in it, but nothing that is mounted there, nor what it is mounted on.

    From outside the zone's mount namespace the kernel would let us, and the mount would be gone (umount(2), EBUSY).
    """
    fd = os.open(base, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=holder)
    try:
        if _mount_id(fd) != _mount_id(holder):
            raise Conflict(f"{os.fsdecode(base)}: something is mounted there: device or resource busy")
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            os.unlink(base, dir_fd=holder)
            return
        _empty(os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd))
        os.rmdir(base, dir_fd=holder)
    finally:
        os.close(fd)


def _empty(folder: int) -> None:
    try:
        for name in os.listdir(folder):
            _remove(folder, os.fsencode(name))
    finally:
        os.close(folder)


def _mount_id(fd: int) -> bytes:
    """The mount that a descriptor is of (proc_pid_fdinfo(5))."""
    with open(f"/proc/self/fdinfo/{fd}", "rb") as file:
        return next(line for line in file if line.startswith(b"mnt_id:"))
