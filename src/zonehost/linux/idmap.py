"""Ranges of host ids, lent to one user at a time on the whole machine.

A lease is a lock on one byte of a file that all instances share; it is held by an open file description and so, passed
on through fork and exec, by a process. The kernel ends the lease when the last holder does: nothing is recorded, and
nothing can be left behind.
"""

from __future__ import annotations

import fcntl
import os
import random
import struct
from dataclasses import dataclass
from typing import Final

from zonehost.errors import Unavailable

COUNT: Final = 65_536
"""Ids in a range."""
FIRST: Final = 0x7000_0000
"""The lowest id of the lowest range. systemd's registry (UIDS-GIDS) leaves 1879048192 to 2147352575 unused."""
RANGES: Final = (2_147_352_576 - FIRST) // COUNT
ALL: Final = (0, 2**32 - 1)
"""Every id, as itself: the first, and how many there are."""

_FLOCK = "hhqqi4x"


@dataclass(frozen=True, slots=True)
class Lease:
    """A range that is ours. Whoever has the descriptor holds it."""

    fd: int
    first: int


def lease(path: str, start: int | None = None) -> Lease:
    """A range that nobody holds, the first from the number `start` on, or from anywhere.

    `path` is the machine's lock file, made if it is missing.

    Raises:
        Unavailable: every range is lent.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    begin = random.SystemRandom().randrange(RANGES) if start is None else start
    for step in range(RANGES):
        number = (begin + step) % RANGES
        request = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, request)
        except BlockingIOError:
            continue
        return Lease(fd, FIRST + number * COUNT)
    os.close(fd)
    raise Unavailable(f"all {RANGES} ranges of host ids are in use")
