"""What a dataset that came from elsewhere must look like before this host mounts it and writes to it.

The daemon opens a volume's content, a zone's root and the files in its etc and log by their paths. A link there would
lead it, with its own rights, to wherever the sender wanted.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from zonehost.linux.btrfs_stream import BadStream
from zonehost.linux.openat import BENEATH, NO_SYMLINKS, open_below

_FOLDERS: Final = (b"_data", b"root", b"root/upper", b"root/work")
_FOLDERS_OF_FILES: Final = (b"etc", b"log")


def check(root: int) -> None:
    """Look at a volume's or a zone's dataset, by the descriptor of its subvolume.

    Raises:
        BadStream: something is there that is neither the directory nor the file that it should be.
    """
    for path in _FOLDERS:
        if (fd := _folder(root, path)) >= 0:
            os.close(fd)
    for path in _FOLDERS_OF_FILES:
        if (fd := _folder(root, path)) < 0:
            continue
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    if not entry.is_file(follow_symlinks=False):
                        raise BadStream(f"{os.fsdecode(path)}/{entry.name!r} of a zone is no file")
        finally:
            os.close(fd)


def _folder(root: int, path: bytes) -> int:
    """The open directory, or -1 if nothing is there."""
    try:
        return open_below(root, path, os.O_RDONLY | os.O_DIRECTORY, BENEATH | NO_SYMLINKS)
    except FileNotFoundError:
        return -1
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise BadStream(f"{os.fsdecode(path)} of a dataset is no directory") from None
