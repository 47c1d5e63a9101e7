"""The directories and files of a cgroup tree: made, written, taken away, each call idempotent.

Raises OSError as the kernel does, but where a rule of the tree stands in the way it says which.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from zonehost.errors import Unavailable
from zonehost.linux.control_file import read, write

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OURS: Final = "trusted.zonehost"
"""The attribute of a group that was made on the way to ours (xattr(7); kernfs keeps it as long as the group)."""


def make(directory: str) -> None:
    """Make a group. Nothing to do if it exists."""
    with suppress(FileExistsError):
        Path(directory).mkdir()


def make_on_the_way(directory: str) -> None:
    """As `make`, and remember that nobody else did, for `remove_way`."""
    with suppress(FileExistsError):
        Path(directory).mkdir()
        os.setxattr(directory, _OURS, b"")


def remove_way(root: str, directory: str) -> None:
    """Remove the group, and those above it below `root`, as long as they were made on the way and hold nothing else."""
    while directory != root and _is_ours(directory):
        try:
            remove(directory)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            return
        directory = os.path.dirname(directory)


def _is_ours(directory: str) -> bool:
    try:
        os.getxattr(directory, _OURS)
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.ENOENT):
            raise
        return False
    return True


def remove(directory: str) -> None:
    """Remove a group without children. Nothing to do if it is gone. Raises OSError: EBUSY, it is in use."""
    with suppress(FileNotFoundError):
        Path(directory).rmdir()


def remove_tree(directory: str) -> None:
    """Remove a group and all groups inside. Nothing to do if it is gone. Raises OSError: EBUSY, one holds a process."""
    try:
        remove(directory)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        _remove_below(directory)
        remove(directory)


def _remove_below(directory: str) -> None:
    """With one descriptor and by single names: a zone may have made groups deeper than calls go, or paths are long."""
    above: list[str] = []
    here = os.open(directory, _FOLDER)
    try:
        while (inner := _any_child(here)) or above:
            there = os.open(inner or "..", _FOLDER, dir_fd=here)
            os.close(here)
            here = there
            if inner:
                above.append(inner)
            else:
                os.rmdir(above.pop(), dir_fd=here)
    finally:
        os.close(here)


def _any_child(group: int) -> str:
    with os.scandir(group) as entries:
        return next((entry.name for entry in entries if entry.is_dir(follow_symlinks=False)), "")


def children(directory: str) -> list[str]:
    """The groups directly inside; none if it is gone."""
    try:
        with os.scandir(directory) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def path_of(pid: int) -> str:
    """The path of a process's group in the v2 tree (cgroups(7)); empty if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in read(f"/proc/{pid}/cgroup").split("\n"):
            if line.startswith("0::"):
                return line[3:]
    return ""


def join(legacy: Iterable[str]) -> None:
    """Move the calling thread into these v1 groups.

    A thread that moves itself is the one migration that waits for nobody: it takes no lock of the whole system
    (`cgroup_procs_write_start()`), where that of a process, by its number or in `cgroup.procs`, may take 20 ms.
    """
    for directory in legacy:
        write(f"{directory}/tasks", "0")


def hand_down(directory: str, controllers: frozenset[str]) -> None:
    """Let the children of a v2 group have these controllers.

    Raises:
        Unavailable: the group itself holds processes (cgroups(7), the "no internal processes" rule), or its own parent
            does not hand down one of the controllers.
    """
    if not controllers:
        return
    try:
        write(f"{directory}/cgroup.subtree_control", " ".join(f"+{controller}" for controller in sorted(controllers)))
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise Unavailable(
                f"the cgroup {directory} holds processes of its own, so it cannot hand controllers down; "
                "name another cgroup parent, or move them to a group below it"
            ) from error
        if error.errno == errno.ENOENT and Path(directory).is_dir():
            raise Unavailable(f"the cgroup {directory} lacks one of the controllers {sorted(controllers)}") from error
        raise


def inherit_cpuset(parent: str, child: str) -> None:
    """Fill a new v1 cpuset as its parent is, and have the kernel do so for its children.

    A v1 cpuset is born empty and lets no process in, unless its parent's `cgroup.clone_children` was set before.
    """
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not Path(child, name).read_text().strip():
            write(f"{child}/{name}", Path(parent, name).read_text().strip())
            write(f"{child}/cgroup.clone_children", "1")
