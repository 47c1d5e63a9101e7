"""A mount namespace of one's own, with room for mounts that nobody else sees."""

from __future__ import annotations

import os

from zonehost.linux import mounts, namespaces


def privately(folder: str) -> None:
    """Move this process into a new mount namespace, and cover the empty folder with a small tmpfs there.

    Mounts that the host makes or drops still come through; none goes out. All of it ends with the process.

    Raises:
        OSError: the kernel refused.
    """
    namespaces.unshare(namespaces.NEWNS)
    mounts.propagate("/", mounts.REC | mounts.SLAVE)
    fd = mounts.new("tmpfs", [("mode", "0700"), ("size", "1m")], attributes=mounts.NOSUID | mounts.NODEV)
    try:
        mounts.place(fd, folder)
    finally:
        os.close(fd)
