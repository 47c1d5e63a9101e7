"""What differs between two states of one dataset: a job of the fork server.

A snapshot keeps the numbers and the times of inodes. Every change of a file, or of what is said of it, sets its ctime,
which nobody can set back; so a file with the same number and ctime is the same, and nothing need be read.
"""

from __future__ import annotations

import os
import stat
from typing import Any

from zonehost.linux.answering import answering


def differences(before: str, after: str) -> list[dict[str, str]]:
    """Paths below `after` that were added or changed, and those below `before` that are deleted, in their order."""
    found: list[dict[str, str]] = []
    _compare(before, after, "", found)
    return found


def _compare(before: str, after: str, path: str, found: list[dict[str, str]]) -> None:
    old, new = _entries(before + path), _entries(after + path)
    for name in sorted(old.keys() | new.keys()):
        place = f"{path}/{name}"
        was, is_ = old.get(name), new.get(name)
        if is_ is None or (_whiteout(is_) and (was is None or not _whiteout(was))):
            found.append({"path": place, "kind": "deleted"})
            continue
        if was is None or (_whiteout(was) and not _whiteout(is_)):
            found.append({"path": place, "kind": "added"})
            if stat.S_ISDIR(is_.st_mode):
                _compare(before, after, place, found)
            continue
        if (was.st_ino, was.st_ctime_ns) != (is_.st_ino, is_.st_ctime_ns):
            found.append({"path": place, "kind": "changed"})
        if stat.S_ISDIR(was.st_mode) or stat.S_ISDIR(is_.st_mode):
            _compare(before, after, place, found)


def _entries(folder: str) -> dict[str, os.stat_result]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        return {}


def _whiteout(status: os.stat_result) -> bool:
    """A character device 0:0: the overlay's mark of what the zone deleted."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _job(arguments: Any, _: list[int]) -> list[dict[str, str]]:
    before, after = arguments
    return differences(before, after)


compare = answering(_job)
