"""Pipes that hold more than usual (pipe(7))."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import Final

_BYTES: Final = 1 << 18


def pipe() -> tuple[int, int]:
    """A pipe of 256 KiB, or of what the kernel lets us have: its reading and its writing end."""
    ends = os.pipe2(os.O_CLOEXEC)
    with suppress(PermissionError):
        fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, _BYTES)
    return ends
