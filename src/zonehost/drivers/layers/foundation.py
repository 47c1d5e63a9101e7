"""The tree under every zone's root: what Docker puts into each container, though no image has it.

`/.dockerenv` tells programs that they are in a container, `/etc/mtab` is what getmntent(3) reads, and the rest are
places for mounts. An image that has a file of such a name shows its own. It costs a zone nothing: no file is made at a
start, and none is a change of the zone.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

_FOLDERS: Final = ("dev", "etc", "proc", "sys")
_FILES: Final = (".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf")
_MODE: Final = 0o755


def lay(tree: Path) -> None:
    """Make the tree, or what a crash left out of it. Idempotent.

    Raises:
        OSError: the disk is full, or cannot be written.
    """
    for folder in (tree, *(tree / name for name in _FOLDERS)):
        folder.mkdir(exist_ok=True)
        folder.chmod(_MODE)
    for file in (tree / name for name in _FILES):
        file.touch()
        file.chmod(_MODE)
    with suppress(FileExistsError):
        (tree / "etc/mtab").symlink_to("/proc/mounts")
