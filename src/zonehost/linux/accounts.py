"""Who a process is: Docker's `user[:group]` and additional groups, looked up in the zone's own passwd and group files.

The files belong to the zone and may be anything: they are opened below its root, never waited for, and read in part.
The rules are those of opencontainers/runc's libcontainer/user, which Docker uses.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import NamedTuple

from zonehost.errors import InvalidParameter
from zonehost.linux.openat import IN_ROOT, open_below

_MOST = 1 << 22
_HIGHEST = (1 << 31) - 1
_DIGITS = 20
"""More than any id has: a line with a longer number is no entry, and Python converts no number of thousands."""


class Account(NamedTuple):
    """Who runs, as numbers inside the zone."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


def find(root: int, user: str, groups: Sequence[str] = ()) -> Account:
    """The account that `user` means below the directory `root`; groups are names or numbers, added to its own.

    Raises:
        InvalidParameter: there is no such user or group, in Docker's words.
    """
    name, group, *_ = (*user.split(":"), "")  # what comes after a second colon counts for nothing, as in Docker
    known = _entries(root, b"etc/passwd", 7)
    listed = _entries(root, b"etc/group", 4)
    entry = _user(known, name)
    uid, gid, home, login = (int(entry[2]), int(entry[3]), entry[5] or "/", entry[0]) if entry else (0, 0, "/", "")
    if entry is None and name not in ("", "0"):
        uid = _number(name, f"unable to find user {name}: no matching entries in passwd file")
    if group:
        gid = _group(listed, group)
        others: list[int] = []
    else:
        others = [int(line[2]) for line in listed if login and login in line[3].split(",")]
    others += [_group(listed, extra, "Unable") for extra in groups]
    return Account(uid=uid, gid=gid, groups=tuple(dict.fromkeys([gid, *others])), home=home)


def find_in(pid: int, ids: int, user: str, groups: Sequence[str] = ()) -> Account:
    """As `find`, below the root of a process that has so many ids of its own; 0: it has the host's.

    Raises:
        InvalidParameter: there is no such user or group, or it is none of the ids. OSError: there is no such process.
    """
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        account = find(root, user, groups)
    finally:
        os.close(root)
    if ids and max(account.uid, *account.groups) >= ids:
        raise InvalidParameter(f"uids and gids must be below {ids} in a user namespace of its own")
    return account


def is_number(user: str) -> bool:
    """Whether `user[:group]` is made of numbers that every zone has: nothing needs to be looked up to know that."""
    name, colon, group = user.partition(":")
    return all(_is_number(number) and len(number) < 5 for number in ((name, group) if colon else (name,)))


def _user(known: Sequence[list[str]], name: str) -> list[str] | None:
    """The entry of a name, or of a number; without either, that of root."""
    wanted = name or "0"
    for line in known:
        if line[0] == wanted:
            return line
    return next((line for line in known if line[2] == wanted), None) if wanted.isdigit() else None


def _group(listed: Sequence[list[str]], group: str, unable: str = "unable") -> int:
    for line in listed:
        if line[0] == group:
            return int(line[2])
    return _number(group, f"{unable} to find group {group}: no matching entries in group file")


def _number(text: str, otherwise: str) -> int:
    digits = text.removeprefix("-" if text.startswith("-") else "+")
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidParameter(otherwise)
    if not _is_number(digits) or not 0 <= int(text) <= _HIGHEST:
        raise InvalidParameter(f"uids and gids must be in range 0-{_HIGHEST}")
    return int(text)


def _entries(root: int, path: bytes, fields: int) -> list[list[str]]:
    """The well-formed lines, split; none if the file is missing or no regular file."""
    entries = []
    for line in _text(root, path).splitlines():
        parts = line.strip().split(":")
        if len(parts) >= fields and _is_number(parts[2]) and (fields < 7 or _is_number(parts[3])):
            entries.append(parts)
    return entries


def _text(root: int, path: bytes) -> str:
    try:
        fd = open_below(root, path, os.O_RDONLY | os.O_NONBLOCK, IN_ROOT)
    except OSError:
        return ""
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return ""
        return os.read(fd, min(status.st_size, _MOST)).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(fd)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS
