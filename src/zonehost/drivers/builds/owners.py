"""--chown and --chmod: names looked up in the base's own files, modes in numbers or in chmod's words."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from zonehost.drivers.builds.trees import SourceTree, follow
from zonehost.errors import InvalidParameter
from zonehost.tar import entry
from zonehost.tar.entry import Entry

_LARGEST: Final = 4 << 20
_ID: Final = re.compile(r"[0-9]{1,10}")
_HIGHEST: Final = (1 << 32) - 2
"""The last id that a file can belong to (chown(2))."""
_FAULT: Final = "unable to convert uid/gid chown string to host mapping"
_CLAUSE: Final = re.compile(r"([ugoa]*)([-+=])([rwxXst]*)")
_SHIFTS: Final = {"u": 6, "g": 3, "o": 0}


def find_owner(base: SourceTree, text: str) -> tuple[int, int]:
    """The ids of `user[:group]`. Without a group it is the one called as the user, else the user's own.

    Raises:
        InvalidParameter: the base knows no such user or group.
    """
    user, colon, group = text.partition(":")
    accounts = [line for line in _lines(base, b"etc/passwd") if len(line) > 3 and _is_id(line[3])]
    groups = _lines(base, b"etc/group")
    if _is_id(user):
        uid, own = int(user), int(user)
    else:
        account = next((line for line in accounts if line[0] == user), None)
        if account is None:
            raise InvalidParameter(
                f"unable to convert uid/gid chown string to host mapping: can't find uid for user {user}"
            )
        uid, own = int(account[2]), int(account[3])
    name = group if colon else user
    if _is_id(name):
        return uid, int(name)
    found = next((int(line[2]) for line in groups if line[0] == name), None)
    if found is None and colon:
        raise InvalidParameter(
            f"unable to convert uid/gid chown string to host mapping: can't find gid for group {name}"
        )
    return uid, own if found is None else found


def _lines(base: SourceTree, path: bytes) -> list[list[str]]:
    real = follow(base, path)
    item = base.find(real) if real else None
    if item is None or item.member.kind != entry.REGULAR or item.member.size > _LARGEST:
        return []
    text = b"".join(item.content()).decode("utf-8", "replace")
    lines = [line.strip().split(":") for line in text.splitlines()]
    return [line for line in lines if len(line) > 2 and _is_id(line[2])]


def _is_id(text: str) -> bool:
    return bool(_ID.fullmatch(text)) and int(text) <= _HIGHEST


def with_mode(member: Entry, text: str) -> Entry:
    """The member with another mode; a link has none of its own."""
    if not text or member.kind in (entry.SYMLINK, entry.HARD_LINK):
        return member
    mode = int(text, 8) if text[0].isdecimal() else _symbolic(text, member)
    return msgspec.structs.replace(member, mode=mode & 0o7777)


def _symbolic(text: str, member: Entry) -> int:
    """chmod(1)'s words, as if the umask were 0."""
    mode = member.mode
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if not match:
            raise InvalidParameter(f"invalid chmod parameter: '{text}'")
        who = match[1].replace("a", "ugo") or "ugo"
        executable = member.kind == entry.DIRECTORY or mode & 0o111
        bits = 0
        for target in who:
            triple = sum({"r": 4, "w": 2, "x": 1, "X": 1 if executable else 0}.get(one, 0) for one in set(match[3]))
            bits |= triple << _SHIFTS[target]
            if "s" in match[3]:
                bits |= {"u": 0o4000, "g": 0o2000, "o": 0}[target]
        if "t" in match[3]:
            bits |= 0o1000
        if match[2] == "=":
            mode &= ~sum(7 << _SHIFTS[target] for target in set(who))
            mode |= bits
        else:
            mode = mode | bits if match[2] == "+" else mode & ~bits
    return mode
