"""Doing what the commands of a send stream say.

It is done by our own hand and not by `btrfs receive`, so that paths are resolved below the new subvolume and nowhere
else (openat2(2), RESOLVE_BENEATH and no links), whatever is written in the stream.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from zonehost.linux.btrfs_stream import BadStream, Command, Field, Kind
from zonehost.linux.openat import BENEATH, NO_SYMLINKS, open_below

_INSIDE: Final = BENEATH | NO_SYMLINKS
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY
_IDLE: Final = (Kind.SUBVOLUME, Kind.SNAPSHOT, Kind.UPDATE_EXTENT, Kind.END)
"""What asks nothing of an applier."""
_CLONE_RANGE: Final = 0x4020940D
_VECTORS: Final = 1024
"""Pieces that one call writes (IOV_MAX)."""
_FURTHEST: Final = (1 << 63) - 1
"""Where the last byte of a file may be."""
_KEPT: Final = 64
"""Open folders that are kept for the next command."""


class Applier:
    """Does to one subvolume what the commands say."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._folders: dict[bytes, int] = {}
        self._file = (b"", -1)
        self._begin = self._end = 0
        self._data: list[memoryview] = []
        """What is to be written to the open file, from the begin to the end: one call for many commands."""

    def apply(self, command: Command) -> None:
        """Do one; data are written at the latest by `flush`, until when they must stay where they are.

        Raises BadStream if it cannot be, OSError as the kernel says it.
        """
        try:
            self._apply(command)
        except (OverflowError, ValueError) as error:  # a number past the kernel's own, a NUL in a name
            raise BadStream(f"a command {command.kind.name}: {error}") from error

    def _apply(self, command: Command) -> None:
        if command.kind in _IDLE:
            return
        path = command.data(Field.PATH)
        if command.kind is Kind.WRITE:
            self._write(path, command.view(Field.DATA), command.number(Field.FILE_OFFSET))
            return
        self.flush()
        match command.kind:
            case Kind.CLONE:
                self._clone(path, command)
            case Kind.TRUNCATE:
                os.ftruncate(self._open(path), command.number(Field.SIZE))
            case Kind.UTIMES:
                times = (command.nanoseconds(Field.ATIME), command.nanoseconds(Field.MTIME))
                self._named(path, lambda folder, name: os.utime(name, ns=times, dir_fd=folder, follow_symlinks=False))
            case Kind.CHMOD:
                Path(self._handle(path)).chmod(command.number(Field.MODE) & 0o7777)
            case Kind.CHOWN:
                owner, group = command.number(Field.UID), command.number(Field.GID)
                self._named(
                    path, lambda folder, name: os.chown(name, owner, group, dir_fd=folder, follow_symlinks=False)
                )
            case Kind.SET_XATTR:
                name, value = command.data(Field.XATTR_NAME), command.data(Field.XATTR_DATA)
                self._attribute(path, lambda place: os.setxattr(place, name, value, follow_symlinks=False))
            case Kind.REMOVE_XATTR:
                name = command.data(Field.XATTR_NAME)
                self._attribute(path, lambda place: os.removexattr(place, name, follow_symlinks=False))
            case _:
                self._rearrange(command, path)

    def flush(self) -> None:
        """Write what is still to be written."""
        data, self._data = self._data, []
        while data:
            done = os.pwritev(self._file[1], data[:_VECTORS], self._begin)
            if done != sum(map(len, data[:_VECTORS])):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._begin += done
            data = data[_VECTORS:]

    def close(self) -> None:
        """Let go of what is open; what was not flushed is lost."""
        self._forget()

    def _write(self, path: bytes, data: memoryview, offset: int) -> None:
        if path != self._file[0] or offset != self._end or not self._data:
            self.flush()
            self._open(path)
            if offset > _FURTHEST:
                raise BadStream(f"a command WRITE at {offset}")
            self._begin = self._end = offset
        self._data.append(data)
        self._end += len(data)

    def _rearrange(self, command: Command, path: bytes) -> None:
        """Make, move and remove names."""
        folder, name = self._parent(path)
        match command.kind:
            case Kind.MKFILE:
                os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600, dir_fd=folder))
            case Kind.MKDIR:
                os.mkdir(name, 0o700, dir_fd=folder)
            case Kind.MKNOD | Kind.MKFIFO | Kind.MKSOCK:
                device = command.number(Field.RDEV)
                # new_encode_dev of the kernel's include/linux/kdev_t.h
                number = os.makedev((device >> 8) & 0xFFF, (device & 0xFF) | ((device >> 12) & 0xFFF00))
                os.mknod(name, command.number(Field.MODE), number, dir_fd=folder)
            case Kind.SYMLINK:
                os.symlink(command.data(Field.PATH_LINK), name, dir_fd=folder)
            case Kind.LINK:
                old_folder, old = self._parent(command.data(Field.PATH_LINK))
                os.link(old, name, src_dir_fd=old_folder, dst_dir_fd=folder, follow_symlinks=False)
            case Kind.RENAME:
                new_folder, new = self._parent(command.data(Field.PATH_TO))
                os.rename(name, new, src_dir_fd=folder, dst_dir_fd=new_folder)
                self._forget()
            case Kind.UNLINK:
                os.unlink(name, dir_fd=folder)
                self._forget()
            case Kind.RMDIR:
                os.rmdir(name, dir_fd=folder)
                self._forget()
            case _:
                raise BadStream(f"a command {command.kind.name} has no place here")

    def _clone(self, path: bytes, command: Command) -> None:
        source = _regular(self._root, command.data(Field.CLONE_PATH), os.O_RDONLY)
        try:
            offset, length = command.number(Field.CLONE_OFFSET), command.number(Field.CLONE_LENGTH)
            argument = struct.pack("<qQQQ", source, offset, length, command.number(Field.FILE_OFFSET))
            fcntl.ioctl(self._open(path), _CLONE_RANGE, argument)
        finally:
            os.close(source)

    def _parent(self, path: bytes) -> tuple[int, bytes]:
        """The open folder that a path is in, and its last component."""
        folder, _, name = path.rpartition(b"/")
        if name in (b"", b".", b".."):
            raise BadStream(f"{path!r} is no path of a stream")
        return self._folder(folder), name

    def _folder(self, path: bytes) -> int:
        if not path:
            return self._root
        known = self._folders.get(path)
        if known is None:
            if len(self._folders) >= _KEPT:
                self._forget()
            known = self._folders[path] = open_below(self._root, path, _FOLDER, _INSIDE)
        return known

    def _open(self, path: bytes) -> int:
        """The file at the path, open for writing until another one is."""
        if self._file[0] != path or self._file[1] < 0:
            self._close_file()
            self._file = (path, _regular(self._root, path, os.O_RDWR))
        return self._file[1]

    def _named(self, path: bytes, act: Callable[[int, bytes], None]) -> None:
        """Act on a path by its folder and name; the subvolume itself is its own folder."""
        if path:
            act(*self._parent(path))
        else:
            act(self._root, b".")

    def _handle(self, path: bytes) -> str:
        """A place in /proc by which the very inode is reached (open(2), O_PATH); the file stays open until the next."""
        self._close_file()
        self._file = (b"", open_below(self._root, path, os.O_PATH | os.O_NOFOLLOW, _INSIDE))
        return f"/proc/self/fd/{self._file[1]}"

    def _attribute(self, path: bytes, act: Callable[[bytes], None]) -> None:
        """Act on extended attributes, which have no call with a folder: by the folder's place in /proc."""
        folder, name = self._parent(path) if path else (self._root, b".")
        act(b"/proc/self/fd/%d/%s" % (folder, name))

    def _close_file(self) -> None:
        if self._file[1] >= 0:
            os.close(self._file[1])
        self._file = (b"", -1)

    def _forget(self) -> None:
        self._close_file()
        for folder in self._folders.values():
            os.close(folder)
        self._folders.clear()


def _regular(root: int, path: bytes, flags: int) -> int:
    """The regular file at the path, opened: a stream makes device nodes too, and may not write to a disk through one.

    It is looked at before it is opened, since opening a device does something already, and opening a FIFO may wait.
    """
    handle = open_below(root, path, os.O_PATH | os.O_NOFOLLOW, _INSIDE)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise BadStream(f"{path!r} is no file")
        return os.open(f"/proc/self/fd/{handle}", flags | os.O_CLOEXEC)
    finally:
        os.close(handle)
