"""Memory that the kernel takes from a zone last: `memory.low` in the v2 tree.

A group's protection is at most what its parent has to share out (cgroup-v2.rst, "Memory"), so the three groups above a
zone's processes (`<id>`, `<instance>`, `zonehost`) each have the sum of what is below. What lies above them is the
administrator's.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from zonehost.linux.control_file import write


def protection(directory: str) -> int:
    """Bytes protected in the group; 0 if it is gone."""
    try:
        return int(Path(directory, "memory.low").read_text())
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV):
            raise
        return 0


def share_out(group: str, change: int) -> None:
    """Tell the instance's groups above a zone's group (`<id>`) that it has so many bytes more, or fewer."""
    if change:
        for level in (os.path.dirname(group), os.path.dirname(os.path.dirname(group))):
            write(f"{level}/memory.low", str(max(0, protection(level) + change)))


def sum_up(instance: str) -> None:
    """Count anew what the instance's groups and `zonehost` have to share out."""
    for level in (instance, os.path.dirname(instance)):
        with os.scandir(level) as entries:
            total = sum(protection(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
        write(f"{level}/memory.low", str(total))
