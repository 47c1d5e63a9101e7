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
from zonehost.linux.cgroup_tree import path_of

_BUNDLE: Final = b"--bundle"
_HOST: Final = ("user", "pid")


def found(zones: str, instance: str) -> dict[str, int]:
    """The keepers that serve zones of an instance in folders below `zones`, by the zone's id.

    What a zone's process says of itself in its arguments is not believed: it has namespaces of its own, and no group of
    another zone.
    """
    kept = ((pid, folder.name) for pid in _pids() if (folder := _served(pid)) and folder.parent == Path(zones))
    return {zone: pid for pid, zone in kept if _of_host(pid) and f"/zonehost/{instance}/{zone}/" in path_of(pid)}


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


def _served(pid: int) -> Path | None:
    words = _words(pid, "cmdline")
    if Path(os.fsdecode(words[0])).name != "conmon" or _BUNDLE not in words[:-1]:
        return None
    return Path(os.fsdecode(words[words.index(_BUNDLE) + 1]))


def _of_host(pid: int) -> bool:
    """Whether a process has the ids and the pids of the daemon's own namespaces (namespaces(7))."""
    with suppress(OSError):
        return all(Path(f"/proc/{pid}/ns/{kind}").samefile(f"/proc/self/ns/{kind}") for kind in _HOST)
    return False


def _words(pid: int, name: str) -> list[bytes]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/{name}").read_bytes().split(b"\0")
    return [b""]


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit())
