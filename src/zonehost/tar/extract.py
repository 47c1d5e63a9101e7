"""Writes members of an archive into a directory, with owner, mode, attributes and times.

A name that exists is replaced; a directory met by a directory is kept, and takes on the member's metadata. Times and
attributes of directories are set when all is written, because writing into a directory changes the one and obeys the
other (a default access control list). The process's umask is to be 0.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from zonehost.errors import InvalidParameter
from zonehost.linux.openat import BENEATH, NO_SYMLINKS, open_below
from zonehost.tar import entry
from zonehost.tar.entry import Entry, relative, shown
from zonehost.tar.tree import Tree

_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NODES: Final = {entry.CHARACTER: stat.S_IFCHR, entry.BLOCK_DEVICE: stat.S_IFBLK, entry.FIFO: stat.S_IFIFO}
_SET_ID: Final = 0o6000

MakeRoom = Callable[[int, bytes, bytes, bool, Entry], None]
"""Called with a directory's descriptor, its real path, the name in it that is to go, whether that is a directory, and
the member that takes its place."""


Fill = Callable[[int], bool]
"""Puts the content into a new, empty file by itself; whether it could."""

Written = Callable[[int, int], None]
"""Called with the descriptor and the size of a regular file that is whole."""


class Extractor:
    """Puts members below a directory.

    `make_room` removes what stands where a member goes, or refuses. `owner` is given to everything instead of the
    members' own ids. `written` is told of regular files.
    """

    def __init__(
        self,
        tree: Tree,
        make_room: MakeRoom,
        owner: tuple[int, int] | None = None,
        written: Written | None = None,
    ) -> None:
        self._tree = tree
        self._make_room = make_room
        self._owner = owner
        self._written = written
        self._folders: dict[bytes, Entry] = {}

    def put(self, name: bytes, member: Entry, content: Iterable[memoryview], fill: Fill | None = None) -> bytes:
        """Write a member under `name`, as `entry.relative` gives names; its real path, links on the way resolved.

        The content of a regular file is written only if `fill` did not put it there.

        Raises:
            InvalidParameter: it cannot be, such as a file below a file.
            FileNotFoundError: it is a hard link, and its target is not there.
            OSError: the disk or the kernel failed.
        """
        if not name:
            if member.kind != entry.DIRECTORY:
                raise InvalidParameter("the archive holds a file without a name")
            self._folders[b""] = member
            return b""
        holder, where, base = self._tree.parent(name)
        real = b"%s/%s" % (where, base) if where else base
        try:
            self._create(holder, base, real, name, member, content, fill)
        except FileExistsError:
            self.clear(name, member)
            self._create(self._tree.parent(name)[0], base, real, name, member, content, fill)
        return real

    def clear(self, name: bytes, member: Entry) -> None:
        """Make room for a member, if anything stands in its place.

        Raises:
            OSError: the disk or the kernel failed.
        """
        holder, where, base = self._tree.parent(name)
        try:
            mode = os.stat(base, dir_fd=holder, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        self._make_room(holder, where, base, stat.S_ISDIR(mode), member)
        if not stat.S_ISREG(mode):
            self._tree.forget()

    def finish(self) -> None:
        """Give directories what was put off.

        Raises:
            OSError: the disk or the kernel failed.
        """
        for real, member in self._folders.items():
            try:
                fd = open_below(self._tree.root, real, _FOLDER, BENEATH | NO_SYMLINKS)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    continue  # replaced by a later member, or what it was in
                raise
            try:
                if not real:
                    self._own(fd, member)
                    os.fchmod(fd, member.mode)
                _set_xattrs(fd, member.xattrs)
                os.utime(fd, ns=(member.mtime, member.mtime))
            finally:
                os.close(fd)
        self._folders.clear()

    def _create(
        self,
        holder: int,
        base: bytes,
        real: bytes,
        name: bytes,
        member: Entry,
        content: Iterable[memoryview],
        fill: Fill | None,
    ) -> None:
        kind = member.kind
        if kind == entry.REGULAR:
            self._regular(holder, base, member, content, fill)
        elif kind == entry.DIRECTORY:
            self._directory(holder, base, real, member)
        elif kind == entry.HARD_LINK:
            self._link(name, base, real, member)
        elif kind == entry.SYMLINK:
            if not member.link:
                raise InvalidParameter(f"the archive has a symbolic link to nothing: {shown(member.name)}")
            os.symlink(member.link, base, dir_fd=holder)
            self._complete_node(holder, base, member)
        else:
            os.mknod(base, member.mode | _NODES[kind], os.makedev(*member.device), dir_fd=holder)
            self._complete_node(holder, base, member)

    def _regular(
        self, holder: int, base: bytes, member: Entry, content: Iterable[memoryview], fill: Fill | None
    ) -> None:
        fd = os.open(base, _NEW_FILE, member.mode, dir_fd=holder)
        try:
            if fill is not None and fill(fd):
                pass
            elif member.extents is None:
                for piece in content:
                    write(fd, piece)
            else:
                _write_extents(fd, member, content)
            self._own(fd, member)
            if member.mode & _SET_ID:
                os.fchmod(fd, member.mode)  # chown(2) has taken these bits away
            if member.xattrs:
                _set_xattrs(fd, member.xattrs)
            os.utime(fd, ns=(member.mtime, member.mtime))
            if self._written is not None:
                self._written(fd, member.size)
        finally:
            os.close(fd)

    def _directory(self, holder: int, base: bytes, real: bytes, member: Entry) -> None:
        try:
            os.mkdir(base, member.mode, dir_fd=holder)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(base, dir_fd=holder, follow_symlinks=False).st_mode):
                raise
        fd = os.open(base, _FOLDER, dir_fd=holder)
        try:
            self._own(fd, member)
            os.fchmod(fd, member.mode)
        finally:
            os.close(fd)
        self._folders[real] = member

    def _link(self, name: bytes, base: bytes, real: bytes, member: Entry) -> None:
        target_name = relative(member.link)
        source, where, target = self._tree.parent(target_name, make=False)
        if (b"%s/%s" % (where, target) if where else target) == real:
            return
        holder = self._tree.parent(name)[0]
        os.link(target, base, src_dir_fd=source, dst_dir_fd=holder, follow_symlinks=False)

    def _complete_node(self, holder: int, base: bytes, member: Entry) -> None:
        uid, gid = self._owner or (member.uid, member.gid)
        os.chown(base, uid, gid, dir_fd=holder, follow_symlinks=False)
        if member.mode & _SET_ID and member.kind != entry.SYMLINK:
            fd = os.open(base, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=holder)
            try:
                Path(f"/proc/self/fd/{fd}").chmod(member.mode)  # chown(2) has taken these bits away
            finally:
                os.close(fd)
        if member.xattrs:
            _set_xattrs(b"/proc/self/fd/%d/%s" % (holder, base), member.xattrs)
        os.utime(base, ns=(member.mtime, member.mtime), dir_fd=holder, follow_symlinks=False)

    def _own(self, fd: int, member: Entry) -> None:
        uid, gid = self._owner or (member.uid, member.gid)
        os.fchown(fd, uid, gid)


def write(fd: int, piece: memoryview) -> None:
    """Write all of it."""
    done = os.write(fd, piece)
    while done < len(piece):
        done += os.write(fd, piece[done:])


def _write_extents(fd: int, member: Entry, content: Iterable[memoryview]) -> None:
    assert member.extents is not None
    os.ftruncate(fd, member.size)
    extents = iter(member.extents)
    offset = left = 0
    for piece in content:
        rest = piece
        while rest:
            if not left:
                offset, left = next(extents)
            done = os.pwrite(fd, rest[:left], offset)
            offset, left, rest = offset + done, left - done, rest[done:]


def _set_xattrs(file: int | bytes, xattrs: dict[bytes, bytes]) -> None:
    for name, value in xattrs.items():
        try:
            os.setxattr(file, name, value, follow_symlinks=isinstance(file, int))
        except PermissionError:
            # What cannot be here (user.* of a link, trusted.* in a user namespace) is left out, as Docker does.
            continue
