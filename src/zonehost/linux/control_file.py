"""Files that the kernel makes up (cgroups(7), proc(5)), each read and written in one call, as it wants them.

Without Python's files, which ask the kernel four things more, and cost a young process the pages of a codec.
"""

from __future__ import annotations

import os
from typing import Final

_MOST: Final = 1 << 16


def read(path: str) -> str:
    """The text of a file of 64 KiB at most; what is no UTF-8 is U+FFFD. Raises OSError as the kernel does."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, _MOST).decode(errors="replace")
    finally:
        os.close(fd)


def write(path: str, text: str) -> None:
    """Write the text. Raises OSError as the kernel does."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
