"""A call that a new process makes in this one's very memory, on a stack further down, while this one waits.

What a fork costs is memory: page tables are copied, then every page that either side writes to, and all of it goes
again when a program is run. Here nothing is copied (clone(2), CLONE_VM and CLONE_VFORK). The new process has
descriptors, credentials, a working directory and namespaces of its own, and may change them as it likes. What it writes
to memory stays written: it makes one call, whose end is its own, and only then does this process go on.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from zonehost.linux.cgroup_fork import CLONE_INTO_CGROUP, CLONE_VFORK, CLONE_VM, clone3, fork

_FURTHER_DOWN: Final = 1 << 20
"""Bytes from the top of the stack to that of the other: more than this process needs, and less than it may have."""
_WORD: Final = 8

_libc: Final = ctypes.PyDLL(None)

Result = TypeVar("Result")


@cache
def can_lend() -> bool:
    """Whether it works here, which a process tries that may die of it.

    On other machines than x86_64 what returns from a call does not find its way on the stack.
    """
    if os.uname().machine != "x86_64":
        return False
    pid = fork()
    if pid == 0:
        os._exit(call(lambda: 0)[0])
    return os.waitpid(pid, 0)[1] == 0


def call(work: Callable[[], Result], cgroup: int | None = None) -> tuple[Result, int]:
    """Have a new process, born in this v2 group, do the work, which must not raise: its result, and the pid.

    The process has ended by then. Nobody must kill it before: half of the work would be left in memory, so this one
    ends then, too, by SIGKILL.

    Raises:
        OSError: as `cgroup_fork.fork_into`.
    """
    results: list[Result] = []
    entry = ctypes.CFUNCTYPE(None)(lambda: results.append(work()))
    flags = CLONE_VM | CLONE_VFORK | (CLONE_INTO_CGROUP if cgroup is not None else 0)
    top = _top()
    # It comes back from the system call to what is on its stack there: the work, and from that to its end.
    ctypes.memmove(top, (ctypes.c_void_p * 2)(_address(entry), _address(_libc._exit)), 2 * _WORD)
    pid = clone3(flags, 0, 0, signal.SIGCHLD, stack=top - _WORD, size=_WORD, cgroup=cgroup or 0)
    if not results:
        os.kill(os.getpid(), signal.SIGKILL)
    return results[0], pid


def _address(function: object) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value  # type: ignore[arg-type]


@cache
def _top() -> int:
    """Where the other stack begins, aligned as it must be before a call returns (System V ABI for AMD64, 3.2.2)."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith("[stack]"):
            return (int(line.split()[0].split("-")[1], 16) - _FURTHER_DOWN) & -16
    raise AssertionError("a process has a stack")
