"""The C library's calls that Python does not have, with errno as OSError.

Owns how a call is made; what a call means is its caller's. The numbers from 424 on are the same on every architecture
(syscall(2), arch/*/entry/syscalls in the kernel's source).
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG: Final = 1
PR_SET_NAME: Final = 15
PR_SET_SECUREBITS: Final = 28
PR_SET_CHILD_SUBREAPER: Final = 36

_Argument = int | bytes | None


def _native(argument: _Argument) -> ctypes.c_long | bytes | None:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def syscall(number: int, *arguments: _Argument) -> int:
    """The result of a system call; bytes are passed as a pointer to them.

    Raises:
        OSError: it failed.
    """
    return _checked(_libc.syscall(ctypes.c_long(number), *map(_native, arguments)))


def call(name: str, *arguments: _Argument) -> int:
    """The result of a C library function that returns -1 and sets errno when it fails.

    Raises:
        OSError: it failed.
    """
    return _checked(getattr(_libc, name)(*map(_native, arguments)))


def prctl(operation: int, value: int | bytes) -> None:
    """prctl(2) of one value.

    Raises:
        OSError: it failed.
    """
    call("prctl", operation, value, 0, 0, 0)


def default_action(signal: int) -> None:
    """Have a signal do what it does by default (signal(2)): as signal.signal(), without the making of enumerations.

    Raises:
        OSError: there is no such signal.
    """
    call("signal", signal, 0)


_STACK: Final = ctypes.create_string_buffer(16384)


def clone_paused(flags: int) -> int:
    """The pid of a new process (clone(2)) that does nothing but pause(2), on a stack that all such processes share.

    It may share this one's memory: it never returns to any code, and the stack holds nothing that it needs.

    Raises:
        OSError: it failed.
    """
    top = (ctypes.addressof(_STACK) + len(_STACK)) & ~15
    return _checked(_libc.clone(_libc.pause, ctypes.c_void_p(top), flags, None))
