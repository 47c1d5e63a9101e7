"""Pseudoterminals in the mount namespace of the caller (pty(7), devpts in the kernel's documentation)."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import termios
from typing import Final

from zonehost.linux import libc

_PTMX: Final = "/dev/ptmx"
_PTMX_DEVICE: Final = os.makedev(5, 2)
_TIOCGPTPEER: Final = 0x20005441 if os.uname().machine == "ppc64le" else 0x5441


def open_pair() -> tuple[int, int]:
    """The two sides of a new terminal, master and slave. Whoever owns the root may have put anything in its place.

    Raises:
        OSError: there is none to be had, or it is not what it should be (ENOTTY).
    """
    master = os.open(_PTMX, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(master)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != _PTMX_DEVICE:
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), _PTMX)
    libc.call("unlockpt", master)
    return master, fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)


def set_size(fd: int, rows: int, columns: int) -> None:
    """Set the size of a terminal, by either side (ioctl_tty(2)).

    Raises:
        OSError: it is no terminal.
    """
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def control(slave: int) -> None:
    """Make this the controlling terminal of the caller, who leads a session and has none (setsid(2)).

    Raises:
        OSError: the caller may not have it.
    """
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
