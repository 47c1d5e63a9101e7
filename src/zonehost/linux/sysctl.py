"""Kernel settings under /proc/sys, by their dotted names (sysctl(8)).

Those of `net.` are of the network namespace of the calling thread. A slash in a name stands for a dot inside one of its
parts, as an interface name may have.
"""

from __future__ import annotations

import errno
from pathlib import Path


def _path(name: str) -> Path:
    parts = [part.replace("/", ".") for part in name.split(".")]
    if any(part in ("", ".", "..") for part in parts):
        raise FileNotFoundError(errno.ENOENT, "no such setting", name)  # and never a path that leads out of /proc/sys
    return Path("/proc/sys", *parts)


def known(name: str) -> bool:
    """Whether there is such a setting here, or a folder of them."""
    return _path(name).exists()


def read(name: str) -> str:
    """The value, without the line's end.

    Raises:
        OSError: there is no such setting here.
    """
    return _path(name).read_text().strip()


def write(name: str, value: str | int) -> None:
    """Set it, unless it is so already.

    Raises:
        OSError: there is no such setting here, or the value is refused.
    """
    path = _path(name)
    wanted = str(value)
    if path.read_text().strip() != wanted:
        path.write_text(wanted)
