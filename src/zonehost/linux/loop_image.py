"""A file with a file system in it, as a detached mount: by a loop device that goes when the last mount of it does.

All who mount one file get one loop device and so one super block: two of them would destroy what they both write. A
device that another program has made of the file is left alone, and the mount refused.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Final

from zonehost.linux import loop, mounts

KINDS: Final = ("ext4", "xfs", "erofs", "squashfs")
ALWAYS_READONLY: Final = ("erofs", "squashfs")
_MAGIC: Final = {
    "ext4": (1080, b"\x53\xef"),
    "xfs": (0, b"XFSB"),
    "erofs": (1024, b"\xe2\xe1\xf5\xe0"),
    "squashfs": (0, b"hsqs"),
}
"""Where in the file, and what, by the kernel's include/uapi/linux/magic.h."""
_MARK: Final = "zonehost"
"""The name that our loop devices bear (lo_file_name)."""


class NotAnImage(ValueError):
    """The file does not hold the file system that it should."""


class ImageInUse(Exception):
    """Another program has the file behind a loop device, or it is mounted with other access."""


def kind_of(file: Path) -> str:
    """Which of KINDS is in the file; empty for none. Raises OSError if it cannot be read."""
    with file.open("rb") as opened:
        head = opened.read(4096)
    return next((kind for kind, (at, magic) in _MAGIC.items() if head[at : at + len(magic)] == magic), "")


def mount(file: Path, kind: str = "", *, readonly: bool = False) -> int:
    """A detached mount of what is in the file, the same file system for all who mount it.

    Raises:
        NotAnImage: it does not hold `kind`, or none of KINDS.
        ImageInUse: see there.
        OSError: the file cannot be opened, or the kernel would not mount it.
    """
    found = kind_of(file)
    if not found or kind not in ("", found):
        what = f"it is not {kind} but {found}" if kind and found else f"it is not {kind or ', '.join(KINDS)}"
        raise NotAnImage(what)
    readonly = readonly or found in ALWAYS_READONLY
    opened = os.open(file, (os.O_RDONLY if readonly else os.O_RDWR) | os.O_CLOEXEC)
    try:
        # One process at a time looks for the device of a file, or makes it.
        fcntl.flock(opened, fcntl.LOCK_EX)
        device, held = _device(file, readonly=readonly)
        try:
            options: list[mounts.Option] = [("source", device)]
            if readonly:
                options.append(("ro", None))
            return mounts.new(found, options, attributes=mounts.NODEV)
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise ImageInUse("it is mounted already, with other access") from error
            raise
        finally:
            os.close(held)
    finally:
        os.close(opened)


def _device(file: Path, *, readonly: bool) -> tuple[str, int]:
    """Our loop device of the file, made if there is none, and a descriptor that keeps it."""
    for device in loop.attached(file):
        held = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
        status = loop.status(held)
        if status is not None and status.name == _MARK and status.readonly == readonly:
            return device, held
        os.close(held)
        if status is not None:
            access = "for reading only" if status.readonly else "for writing"
            raise ImageInUse(f"{device} has it {access}")
    return loop.attach(file, readonly=readonly, block=0, name=_MARK)
