"""fork(2) with the child born in a cgroup, by clone3(2) with CLONE_INTO_CGROUP.

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

_SYS_CLONE3 = 435
_CLONE_INTO_CGROUP = 0x200000000
_CLONE_CHILD_CLEARTID = 0x00200000
_CLONE_CHILD_SETTID = 0x01000000
_PR_GET_TID_ADDRESS = 40
_ARGUMENTS = struct.Struct("=11Q")
"""clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, its size, cgroup."""

_libc = ctypes.PyDLL(None, use_errno=True)


def fork_into(cgroup: int) -> int:
    """As os.fork(), with the child a member of the v2 group whose directory `cgroup` is open (O_PATH will do).

    Only for a process with a single thread. The work of the C library and of Python around a fork is left out, and all
    that a single thread needs of it is done here: its thread id, which the C library keeps, is written by the kernel.
    What is registered with os.register_at_fork() is not called, so the child must draw no numbers from `random`.

    Raises:
        RuntimeError: the process has more than one thread.
        OSError: EBUSY, the group hands controllers down and takes no processes; EOPNOTSUPP, it is threaded.
    """
    if _thread._count():
        raise RuntimeError("fork_into is for a process with one thread")
    tid = ctypes.c_void_p()
    flags = _CLONE_INTO_CGROUP
    if _libc.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(tid), 0, 0, 0) == 0:
        flags |= _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
    arguments = _ARGUMENTS.pack(flags, 0, tid.value or 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, cgroup)
    pid: int = _libc.syscall(_SYS_CLONE3, arguments, ctypes.c_size_t(len(arguments)))
    if pid < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return pid
