"""Processes by descriptor, so that a reused pid is never mistaken for the process that had it (pidfd_open(2))."""

from __future__ import annotations

import os
import signal
from typing import Final

from zonehost.linux import libc

_PIDFD_GETFD: Final = 438


def find(pid: int) -> int | None:
    """A descriptor of the process, or None if there is none."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def send(pidfd: int, number: int) -> bool:
    """Send a signal; False if the process has ended.

    Raises:
        OSError: the signal is no signal.
    """
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    return True


def borrow(pidfd: int, fd: int) -> int:
    """A duplicate of a descriptor of another process (pidfd_getfd(2)): the same open file, its locks with it.

    Raises:
        OSError: the process has ended, or has no such descriptor.
    """
    return libc.syscall(_PIDFD_GETFD, pidfd, fd, 0)
