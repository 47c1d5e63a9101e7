"""What a zone has changed: its upper directory against what its layers show.

Kinds and rules are those of Docker's archive package (`ChangesDirs`): of a directory only mode, owner and capability
count, not its time, and one that has a change below it is listed as modified.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Final

from zonehost.domain.mount_places import MOUNT_PLACES
from zonehost.tar.scan import read_xattrs

MODIFIED, ADDED, DELETED = 0, 1, 2
Change = tuple[bytes, int]

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE: Final = b"trusted.overlay.opaque"
_CAPABILITY: Final = b"security.capability"


def changes(upper: str, image: int) -> list[Change]:
    """The paths that differ, sorted; `image` is the root that the layers show.

    Raises:
        OSError: the disk or the kernel failed.
    """
    ours = os.open(upper, _FOLDER)
    theirs = os.open(b".", _FOLDER, dir_fd=image)
    try:
        return sorted(_below(ours, theirs, b""))
    finally:
        os.close(ours)
        os.close(theirs)


def _below(upper: int, image: int | None, path: bytes) -> Iterator[Change]:
    """What differs below a directory, which the image need not have."""
    names = _names(upper)
    for name in names:
        where = b"%s/%s" % (path, name)
        now, before = _status(upper, name), _status(image, name)
        if now is None:
            continue
        if stat.S_ISCHR(now.st_mode) and now.st_rdev == 0:
            if before is not None:
                yield where, DELETED
            continue
        inner = list(_inside(upper, image, name, where)) if stat.S_ISDIR(now.st_mode) else []
        if before is None:
            if inner or where[1:] not in MOUNT_PLACES or (stat.S_ISREG(now.st_mode) and now.st_size):
                yield where, ADDED
        elif inner or _differ(before, now) or _capability(upper, name) != _capability(image or upper, name):
            yield where, MODIFIED
        yield from inner
    if image is not None and _is_opaque(upper):
        yield from ((b"%s/%s" % (path, name), DELETED) for name in set(_names(image)).difference(names))


def _inside(upper: int, image: int | None, name: bytes, where: bytes) -> Iterator[Change]:
    ours = os.open(name, _FOLDER, dir_fd=upper)
    theirs = None
    try:
        before = _status(image, name)
        if before is not None and stat.S_ISDIR(before.st_mode):
            theirs = os.open(name, _FOLDER, dir_fd=image)
        yield from _below(ours, theirs, where)
    finally:
        os.close(ours)
        if theirs is not None:
            os.close(theirs)


def _differ(before: os.stat_result, now: os.stat_result) -> bool:
    kept = ("st_mode", "st_uid", "st_gid", "st_rdev")
    if any(getattr(before, field) != getattr(now, field) for field in kept):
        return True
    return not stat.S_ISDIR(now.st_mode) and (before.st_size != now.st_size or not _same_time(before, now))


def _same_time(before: os.stat_result, now: os.stat_result) -> bool:
    """Archives may have cut off the fraction of a second."""
    (one, ours), (other, theirs) = divmod(before.st_mtime_ns, 10**9), divmod(now.st_mtime_ns, 10**9)
    return one == other and (ours == theirs or not ours or not theirs)


def _names(folder: int) -> list[bytes]:
    return list(map(os.fsencode, os.listdir(folder)))


def _status(folder: int | None, name: bytes) -> os.stat_result | None:
    if folder is None:
        return None
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _capability(folder: int, name: bytes) -> bytes | None:
    return read_xattrs(b"/proc/self/fd/%d/%s" % (folder, name)).get(_CAPABILITY)


def _is_opaque(folder: int) -> bool:
    return read_xattrs(folder).get(_OPAQUE) == b"y"


def size(upper: str) -> int:
    """Bytes of the files in an upper directory, each counted once however many names it has.

    Raises:
        OSError: the disk or the kernel failed.
    """
    total = 0
    seen = set()
    for _, _, _, fd in os.fwalk(upper):
        for name in _names(fd):
            status = _status(fd, name)
            if status is not None and not stat.S_ISDIR(status.st_mode) and status.st_ino not in seen:
                if status.st_nlink > 1:
                    seen.add(status.st_ino)
                total += status.st_size
    return total
