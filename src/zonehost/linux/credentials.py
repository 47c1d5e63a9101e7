"""What a process may do: capabilities, ids and system calls, given up step by step (credentials(7), capabilities(7)).

Each function changes the calling process, which has a single thread, for good. Owns the system calls; refuses to know
in which order a zone needs them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Collection, Sequence
from itertools import count
from typing import Final

from zonehost.linux import libc

_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2
_CAPABILITY_VERSION: Final = 0x20080522
_KEYCTL: Final = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271}
_JOIN_SESSION_KEYRING: Final = 1
_FILTER_SIZE: Final = 8
"""Bytes of a struct sock_filter."""
_PROGRAM: Final = struct.Struct("@HP")
"""struct sock_fprog of linux/filter.h."""


def hide() -> None:
    """Let nobody without CAP_SYS_PTRACE in the host's own user namespace look into this process (ptrace(2)).

    Holds until it runs a program.
    """
    libc.prctl(_PR_SET_DUMPABLE, 0)


def leave_keyring() -> None:
    """Begin an empty session keyring in place of an inherited one (session-keyring(7)).

    Raises:
        OSError: EDQUOT, the user has too many keys.
    """
    try:
        libc.syscall(_KEYCTL[os.uname().machine], _JOIN_SESSION_KEYRING, None)
    except OSError as error:
        if error.errno != errno.ENOSYS:  # a kernel without keyrings
            raise


def bound(capabilities: Collection[int]) -> None:
    """Drop all other capabilities from the bounding set.

    Raises:
        OSError: EPERM, without CAP_SETPCAP.
    """
    for number in count():
        if number in capabilities:
            continue
        try:
            libc.prctl(_PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno == errno.EINVAL:  # the kernel knows no more
                return
            raise


def become(uid: int, gid: int, groups: Sequence[int]) -> None:
    """Take these ids. Whoever is not root then has no capability left, as no security bit keeps them.

    Raises:
        OSError: EPERM, without CAP_SETUID and CAP_SETGID; EINVAL, the user namespace does not map an id.
    """
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def hold(capabilities: Collection[int]) -> None:
    """Have exactly these as permitted and effective capabilities, and none to pass on (capset(2)).

    Raises:
        OSError: EPERM, one of them is not permitted.
    """
    bits = sum(1 << number for number in capabilities)
    low, high = bits & 0xFFFFFFFF, bits >> 32
    libc.call("capset", struct.pack("=II", _CAPABILITY_VERSION, 0), struct.pack("=6I", low, low, 0, high, high, 0))


def forgo_new_privileges() -> None:
    """Let no program that is run give more than this process has (PR_SET_NO_NEW_PRIVS(2const))."""
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)


def load_filter(program: bytes) -> None:
    """Put this process under a filter of system calls, an array of struct sock_filter (seccomp(2)).

    Raises:
        OSError: EACCES, without CAP_SYS_ADMIN or no_new_privs; EINVAL, it is no filter.
    """
    address = ctypes.c_void_p.from_buffer(ctypes.c_char_p(program)).value  # without a copy, and a type for its length
    filled = _PROGRAM.pack(len(program) // _FILTER_SIZE, address)
    libc.call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filled, 0, 0)
