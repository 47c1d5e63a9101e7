"""Who a process is: Docker's `user[:group]` and additional groups, looked up in the zone's own passwd and group files.

The files belong to the zone and may be anything: they are opened below its root, never waited for, and read in part.
The rules are those of opencontainers/runc's libcontainer/user, which Docker uses.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from zonehost.errors import InvalidParameter
from zonehost.linux.openat import IN_ROOT, open_below

_MOST = 1 << 22
_HIGHEST = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Account:
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
    name, _, group = user.partition(":")
    known = list(_lines(root, b"etc/passwd", 7))
    listed = list(_lines(root, b"etc/group", 4))
    entry = _user(known, name)
    uid, gid, home, login = (int(entry[2]), int(entry[3]), entry[5] or "/", entry[0]) if entry else (0, 0, "/", "")
    if entry is None and name not in ("", "0", "root"):
        uid = _number(name, f"unable to find user {name}: no matching entries in passwd file")
    if group:
        gid = _group(listed, group)
        others: list[int] = []
    else:
        others = [int(line[2]) for line in listed if login and login in line[3].split(",")]
    others += [_group(listed, extra, "Unable") for extra in groups]
    return Account(uid=uid, gid=gid, groups=tuple(dict.fromkeys([gid, *others])), home=home)


def is_number(user: str) -> bool:
    """Whether `user[:group]` is made of numbers that every zone has: nothing needs to be looked up to know that."""
    return re.fullmatch(r"[0-9]{1,4}(:[0-9]{1,4})?", user) is not None


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
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise InvalidParameter(otherwise)
    if not 0 <= int(text) <= _HIGHEST:
        raise InvalidParameter(f"uids and gids must be in range 0-{_HIGHEST}")
    return int(text)


def _lines(root: int, path: bytes, fields: int) -> Iterator[list[str]]:
    """The well-formed lines, split; none if the file is missing or no regular file."""
    with suppress(OSError):
        fd = open_below(root, path, os.O_RDONLY | os.O_NONBLOCK, IN_ROOT)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return
            text = os.read(fd, min(status.st_size, _MOST)).decode(errors="replace")
        finally:
            os.close(fd)
        for line in text.splitlines():
            parts = line.strip().split(":")
            numbers = parts[2:4] if fields > 4 else parts[2:3]
            if len(parts) >= fields and all(part.isascii() and part.isdigit() for part in numbers):
                yield parts
