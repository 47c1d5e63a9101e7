"""Mounts by descriptor: made detached, changed, and only then put in a place (mount_setattr(2), fsopen(2)).

Owns the system calls. Refuses to know why a mount is made. A detached mount lives as long as its descriptor, so what
is not moved into a tree leaves nothing behind.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from zonehost.linux import libc, proc_file

_OPEN_TREE: Final = 428
_MOVE_MOUNT: Final = 429
_FSOPEN: Final = 430
_FSCONFIG: Final = 431
_FSMOUNT: Final = 432
_MOUNT_SETATTR: Final = 442

AT_FDCWD: Final = -100
_AT_EMPTY_PATH: Final = 0x1000
_AT_RECURSIVE: Final = 0x8000
_OPEN_TREE_CLONE: Final = 1
_MOVE_FROM_EMPTY_PATH: Final = 0x04
_MOVE_TO_EMPTY_PATH: Final = 0x40
_FSOPEN_CLOEXEC: Final = 1
_FSMOUNT_CLOEXEC: Final = 1
_SET_FLAG, _SET_STRING, _SET_FD, _CREATE = 0, 1, 5, 6
_MNT_DETACH: Final = 2

RDONLY: Final = 0x00000001
NOSUID: Final = 0x00000002
NODEV: Final = 0x00000004
NOEXEC: Final = 0x00000008
_IDMAP: Final = 0x00100000

REC: Final = 1 << 14
PRIVATE: Final = 1 << 18
SLAVE: Final = 1 << 19
SHARED: Final = 1 << 20

_ESCAPE: Final = re.compile(r"\\([0-7]{3})")

Option = tuple[str, str | int | None]
"""A parameter of a file system: a text, a file descriptor, or nothing for a flag."""


class MountRefused(OSError):
    """The kernel would not make the mount; `strerror` has the file system's own words where it gave any."""


def _words(fs: int, error: OSError) -> MountRefused:
    """What the file system logged in its context: lines of `e name: message` (fsopen(2))."""
    lines = []
    try:
        while line := os.read(fs, 1024):
            lines.append(line.decode(errors="replace").strip()[2:])
    except OSError:
        pass  # ENODATA: that was all
    return MountRefused(error.errno, "; ".join(lines) or error.strerror)


def new(kind: str, options: Iterable[Option] = (), *, attributes: int = 0) -> int:
    """A detached mount of a new file system: its descriptor.

    Raises:
        MountRefused: the kernel has no such file system, or would not make it so.
    """
    try:
        fs = libc.syscall(_FSOPEN, kind.encode(), _FSOPEN_CLOEXEC)
    except OSError as error:
        raise MountRefused(error.errno, f"{kind}: {error.strerror}") from error
    try:
        for key, value in options:
            if value is None:
                libc.syscall(_FSCONFIG, fs, _SET_FLAG, key.encode(), None, 0)
            elif isinstance(value, int):
                libc.syscall(_FSCONFIG, fs, _SET_FD, key.encode(), None, value)
            else:
                libc.syscall(_FSCONFIG, fs, _SET_STRING, key.encode(), value.encode(), 0)
        libc.syscall(_FSCONFIG, fs, _CREATE, None, None, 0)
        return libc.syscall(_FSMOUNT, fs, _FSMOUNT_CLOEXEC, attributes)
    except OSError as error:
        raise _words(fs, error) from error
    finally:
        os.close(fs)


def clone(path: str, *, at: int = AT_FDCWD, recursive: bool = False) -> int:
    """A detached copy of what is mounted at the path, seen from there: a bind mount without a place.

    With an empty path, of what the descriptor `at` is.

    Raises:
        OSError: there is no such path, or the mount cannot be copied.
    """
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (_AT_RECURSIVE if recursive else 0) | (0 if path else _AT_EMPTY_PATH)
    return libc.syscall(_OPEN_TREE, at, path.encode(), flags)


def change(
    fd: int, *, add: int = 0, drop: int = 0, propagation: int = 0, userns: int | None = None, recursive: bool = False
) -> None:
    """Set and clear attributes of the mount, its propagation, its idmapping; all of it or none.

    A mount can be idmapped once, while it is detached and nobody else has seen it.

    Raises:
        OSError: EINVAL, its file system cannot be idmapped; EPERM, it already is, or is not ours.
    """
    if userns is not None:
        add |= _IDMAP
    attributes = struct.pack("=QQQQ", add, drop, propagation, 0 if userns is None else userns)
    flags = _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    libc.syscall(_MOUNT_SETATTR, fd, b"", flags, attributes, len(attributes))


def place(fd: int, path: str, *, at: int = AT_FDCWD) -> None:
    """Put a detached mount on the path, a directory on a directory and a file on a file.

    Raises:
        OSError: it does not fit there.
    """
    flags = _MOVE_FROM_EMPTY_PATH | (0 if path else _MOVE_TO_EMPTY_PATH)
    libc.syscall(_MOVE_MOUNT, fd, b"", at, path.encode(), flags)


def propagate(path: str, propagation: int) -> None:
    """Change how mounts below the path spread; with REC, below all of it (mount_namespaces(7)).

    Raises:
        OSError: the path is no mount.
    """
    libc.call("mount", None, path.encode(), None, propagation, None)


def detach(path: str) -> None:
    """Take the mount away from the path, now; it ends when nothing uses it any more.

    Raises:
        OSError: nothing is mounted there.
    """
    libc.call("umount2", path.encode(), _MNT_DETACH)


def spreading(path: str) -> tuple[str, frozenset[str]]:
    """The mount that a path is on: where it is mounted, and whether it is `shared`, has a `master`, or neither.

    From the optional fields of proc_pid_mountinfo(5). Raises FileNotFoundError: there is no such path.
    """
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        known = dict(line.split(":", 1) for line in Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines())
    finally:
        os.close(fd)
    for line in proc_file.lines("/proc/self/mountinfo"):
        number, _, _, _, point, _, *rest = line.split(" ")
        if number == known["mnt_id"].strip():
            return _plain(point), frozenset(word.partition(":")[0] for word in rest[: rest.index("-")])
    return "", frozenset()  # it is on a mount that is attached nowhere


def points_below(path: str, mountinfo: str = "/proc/self/mountinfo") -> list[str]:
    """The mount points strictly below a path without links, in the order in which they were mounted, each once."""
    inside = path.rstrip("/") + "/"
    points: dict[str, None] = {}
    for line in proc_file.lines(mountinfo):
        point = _plain(line.split(" ", 5)[4])
        if point.startswith(inside) and point != inside:
            points[point] = None
    return list(points)


def _plain(text: str) -> str:
    """A path of mountinfo without its escapes."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
