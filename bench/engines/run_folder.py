"""Where the engines keep their run roots: on a tmpfs, as on users' machines, where systemd mounts one at /run.

Where /run is none, the bench mounts one of its own there, with systemd's options. To make a dozen small files for each
container on a disk would else be part of what is measured.
"""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from pathlib import Path

from zonehost.linux import statfs

RUN = Path("/run")
_TMPFS_MAGIC = 0x01021994
"""The type of file system that statfs(2) tells."""
_OPTIONS = "mode=755,nosuid,nodev,size=20%"


@functools.cache
def run_top() -> Path:
    """The folder for run roots; the bench calls `clear` at its end."""
    if _is_tmpfs(RUN):
        return RUN
    top = Path(tempfile.mkdtemp(prefix="zhb-", dir=RUN))
    subprocess.run(["mount", "-t", "tmpfs", "-o", _OPTIONS, "tmpfs", top], check=True)
    return top


def clear() -> None:
    """Take away what `run_top` mounted, once no engine runs."""
    if run_top.cache_info().currsize and (top := run_top()) != RUN:
        subprocess.run(["umount", top], check=True)
        top.rmdir()


def _is_tmpfs(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        return statfs.of_file(descriptor).type == _TMPFS_MAGIC
    finally:
        os.close(descriptor)
