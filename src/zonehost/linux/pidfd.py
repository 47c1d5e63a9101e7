"""Processes by descriptor, so that a reused pid is never mistaken for the process that had it (pidfd_open(2))."""

from __future__ import annotations

import os
import signal
from typing import Final

from zonehost.linux import libc

_PIDFD_GETFD: Final = 438
_PROCESS_GROUP: Final = 1 << 2
"""PIDFD_SIGNAL_PROCESS_GROUP (pidfd_send_signal(2))."""


def find(pid: int) -> int | None:
    """A descriptor of the process, or None if there is none."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def send(pidfd: int, number: int, *, group: bool = False) -> bool:
    """Send a signal, or send it to all of the process group that it leads (6.9); False if the process has ended.

    Raises:
        OSError: the signal is no signal.
    """
    try:
        signal.pidfd_send_signal(pidfd, number, None, _PROCESS_GROUP if group else 0)
    except ProcessLookupError:
        return False
    return True


def borrow(pidfd: int, fd: int) -> int:
    """A duplicate of a descriptor of another process (pidfd_getfd(2)): the same open file, its locks with it.

    Raises:
        OSError: the process has ended, or has no such descriptor.
    """
    return libc.syscall(_PIDFD_GETFD, pidfd, fd, 0)
