"""fork(2) with the child born in a cgroup, by clone3(2) with CLONE_INTO_CGROUP, and a process that is born anew in one.

A migration (writing to `cgroup.procs`) takes a system-wide lock for writing, which first waits for an RCU grace
period: 5 to 25 ms after a quiet moment. A birth takes it for reading and costs what a fork costs. For v2 trees only.

Python's own work around a fork is left out as well: with a single thread there is no lock to mend, and it writes to 300
pages of the child, each of which is copied for that.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import signal
import struct

from zonehost.linux import libc

_SYS_CLONE3 = 435
CLONE_VM = 0x00000100
CLONE_VFORK = 0x00004000
_CLONE_PARENT = 0x00008000
_CLONE_PARENT_SETTID = 0x00100000
_CLONE_CHILD_CLEARTID = 0x00200000
_CLONE_CHILD_SETTID = 0x01000000
CLONE_INTO_CGROUP = 0x200000000
_PR_GET_TID_ADDRESS = 40
_PTRACE_SEIZE = 0x4206
_TRACE_VFORK_DONE = 0x00000020
_EXIT_KILL = 0x00100000
_ARGUMENTS = struct.Struct("=11Q")
"""clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, its size, cgroup."""

_libc = ctypes.PyDLL(None, use_errno=True)


def fork() -> int:
    """As os.fork(), with as little around it as `fork_into`. Raises as that."""
    return _clone(0, exit_signal=signal.SIGCHLD)


def fork_into(cgroup: int) -> int:
    """As os.fork(), with the child a member of the v2 group whose directory `cgroup` is open (O_PATH will do).

    Only for a process with a single thread. The work of the C library and of Python around a fork is left out, and all
    that a single thread needs of it is done here: its thread id, which the C library keeps, is written by the kernel.
    What is registered with os.register_at_fork() is not called, so the child must draw no numbers from `random`.

    Raises:
        RuntimeError: the process has more than one thread.
        OSError: EBUSY, the group hands controllers down and takes no processes; EOPNOTSUPP, it is threaded.
    """
    return _clone(CLONE_INTO_CGROUP, cgroup=cgroup, exit_signal=signal.SIGCHLD)


def reborn_in(cgroup: int, address: int) -> None:
    """Go on as a new process, a member of the group, and a child of this one's parent; `address` then has its pid.

    It has this one's very memory and stack, and none of it is copied. Nobody may use them beside it, so this process
    waits in the kernel (CLONE_VFORK) until the new one runs a program or ends, and must never come back from there:
    its parent has called `bury_when_reborn` with it. Raises as `fork_into`; then nothing has happened.
    """
    flags = CLONE_VM | CLONE_VFORK | _CLONE_PARENT | _CLONE_PARENT_SETTID | CLONE_INTO_CGROUP
    _clone(flags, cgroup=cgroup, parent_tid=address)


def bury_when_reborn(pid: int) -> None:
    """Have a child stop in the kernel once it need wait no more in `reborn_in`, which waitpid(2) tells, to be killed.

    It dies with this process, too. (ptrace(2): PTRACE_SEIZE with PTRACE_O_TRACEVFORKDONE and PTRACE_O_EXITKILL.)

    Raises:
        OSError: EPERM, the machine lets nobody trace (Yama).
    """
    libc.call("ptrace", _PTRACE_SEIZE, pid, 0, _TRACE_VFORK_DONE | _EXIT_KILL)


def _clone(flags: int, *, cgroup: int = 0, parent_tid: int = 0, exit_signal: int = 0) -> int:
    if _thread._count():
        raise RuntimeError("births are for a process with one thread")
    tid = ctypes.c_void_p()
    if _libc.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(tid), 0, 0, 0) == 0:
        flags |= _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
    return clone3(flags, tid.value or 0, parent_tid, exit_signal, cgroup=cgroup)


def clone3(
    flags: int, child_tid: int, parent_tid: int, exit_signal: int, *, stack: int = 0, size: int = 0, cgroup: int = 0
) -> int:
    """clone3(2), with the interpreter's lock held: the pid, or 0 in a new process without a stack of its own.

    Raises:
        OSError: it failed.
    """
    arguments = _ARGUMENTS.pack(flags, 0, child_tid, parent_tid, exit_signal, stack, size, 0, 0, 0, cgroup)
    pid: int = _libc.syscall(_SYS_CLONE3, arguments, ctypes.c_size_t(len(arguments)))
    if pid < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return pid
