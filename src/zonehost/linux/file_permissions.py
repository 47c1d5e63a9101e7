"""Finding files with the permissions of another process, in one thread (credentials(7))."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from zonehost.linux import libc

_ANY_FOLDER: Final = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: with either, every folder may be passed through (capabilities(7))."""
_SETGROUPS: Final = {"x86_64": 116, "ppc64le": 81}.get(os.uname().machine, 159)


@contextmanager
def permissions_of(process: int) -> Iterator[None]:
    """Have this thread, and no other, find files with the ids of a process, unless that may pass everywhere.

    `process` is its folder in /proc. This thread must be root's. A capability counts in whatever user namespace the
    process has it.

    Raises:
        OSError: the process has ended.
    """
    status = _status(process)
    if int(status["CapEff"], 16) & _ANY_FOLDER:
        yield
        return
    own = os.getgroups()
    try:
        _set_groups([int(group) for group in status["Groups"].split()])
        libc.call("setfsgid", int(status["Gid"].split()[3]))
        libc.call("setfsuid", int(status["Uid"].split()[3]))
        yield
    finally:
        libc.call("setfsuid", 0)
        libc.call("setfsgid", 0)
        _set_groups(own)


def _set_groups(groups: Sequence[int]) -> None:
    """setgroups(2) of this thread: the C library's would be that of all threads."""
    libc.syscall(_SETGROUPS, len(groups), struct.pack(f"={len(groups)}I", *groups))


def _status(process: int) -> dict[str, str]:
    with os.fdopen(os.open("status", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process), "rb") as file:
        lines = file.read().decode(errors="replace").splitlines()
    return {name: value for name, _, value in (line.partition(":\t") for line in lines)}
