"""Namespaces: made, entered, mapped (namespaces(7), user_namespaces(7)).

Owns the system calls. Refuses to know what a zone is. The callers are short-lived, single-threaded processes: a
process with threads cannot change its own user or mount namespace.
"""

from __future__ import annotations

import errno
import os
import signal
from typing import Final, NamedTuple

from zonehost.linux import control_file, libc

NEWNS: Final = 0x00020000
NEWCGROUP: Final = 0x02000000
NEWUTS: Final = 0x04000000
NEWIPC: Final = 0x08000000
NEWUSER: Final = 0x10000000
NEWPID: Final = 0x20000000
NEWNET: Final = 0x40000000

_SHARED_MEMORY: Final = 0x00000100  # CLONE_VM


class Made(NamedTuple):
    """Fresh namespaces, as descriptors: a user namespace, a network namespace that belongs to it, or one of them.

    `holder` was their first process. It has been killed, and is this process's child to wait for.
    """

    user: int | None
    net: int | None
    holder: int = 0


def unshare(flags: int) -> None:
    """Move this process into new namespaces (unshare(2)).

    Raises:
        OSError: the kernel refused.
    """
    libc.call("unshare", flags)


def enter(fd: int, flags: int = 0) -> None:
    """Move this process into a namespace, or with a pidfd into those of `flags` (setns(2)).

    Raises:
        OSError: the kernel refused.
    """
    libc.call("setns", fd, flags)


def open_of(pid: int, kind: str) -> int:
    """A descriptor of a process's namespace; `kind` as in /proc/PID/ns: user, net, pid, ipc, mnt, uts, cgroup.

    Raises:
        OSError: there is no such process.
    """
    return os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def make(ids: tuple[int, int] | None, *, net: bool) -> Made:
    """A user namespace whose ids from 0 are `count` ids from `first` (`ids`), a network namespace, or both.

    They live as long as the descriptors do. Raises OSError if the kernel refuses.
    """
    pid = _paused((NEWUSER if ids else 0) | (NEWNET if net else 0))
    try:
        if ids:
            for name in ("uid_map", "gid_map"):
                control_file.write(f"/proc/{pid}/{name}", f"0 {ids[0]} {ids[1]}\n")
        return Made(open_of(pid, "user") if ids else None, open_of(pid, "net") if net else None, pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def _paused(flags: int) -> int:
    """A process in new namespaces that only waits to be killed.

    It shares this one's memory, so that none is copied for it, and runs nothing but pause(2), on a stack of its own.
    """
    return libc.clone_paused(flags | _SHARED_MEMORY | signal.SIGCHLD)


def net_owned_by(user: int) -> int:
    """A network namespace that belongs to an existing user namespace.

    Raises:
        OSError: the kernel refused.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            enter(user, NEWUSER)
            unshare(NEWNET)
            os.write(write, b"x")
            signal.pause()
        finally:
            os._exit(1)
    os.close(write)
    try:
        if not os.read(read, 1):
            raise PermissionError(errno.EPERM, "cannot make a network namespace in the user namespace")
        return open_of(pid, "net")
    finally:
        os.close(read)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
