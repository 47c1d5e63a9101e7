"""Keepers as the kernel knows them, so that no zone depends on the files that tell of it.

A keeper's arguments name the folder that it serves, its environment has its record, and the zone's first process is
its child: crun, which it started, has ended, and it is the subreaper (conmon's src/conmon.c, prctl(2)).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from zonehost.drivers.runtime.conmon import RECORD
from zonehost.drivers.runtime.folder import KeeperRecord

_BUNDLE: Final = b"--bundle"


def found(zones: str) -> dict[str, int]:
    """The keepers that serve zones in folders below `zones`, by the zone's id."""
    return {folder.name: pid for pid in _pids() if (folder := _served(pid)) and folder.parent == Path(zones)}


def record_of(keeper: int) -> KeeperRecord | None:
    """What a keeper was given to tell a later daemon; None if it has ended, or is an older one without."""
    mark = f"{RECORD}=".encode()
    for text in _words(keeper, "environ"):
        if text.startswith(mark):
            return msgspec.json.decode(text.removeprefix(mark), type=KeeperRecord)
    return None


def first_process(keeper: int) -> int:
    """The first process of the zone that it keeps; 0 if that has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        children = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
        return int(children[0]) if children else 0
    return 0


def group_of(keeper: int) -> str:
    """The path of its cgroup in the v2 tree; empty if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{keeper}/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return line[3:]
    return ""


def _served(pid: int) -> Path | None:
    words = _words(pid, "cmdline")
    if Path(os.fsdecode(words[0])).name != "conmon" or _BUNDLE not in words:
        return None
    return Path(os.fsdecode(words[words.index(_BUNDLE) + 1]))


def _words(pid: int, name: str) -> list[bytes]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/{name}").read_bytes().split(b"\0")
    return [b""]


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit())
