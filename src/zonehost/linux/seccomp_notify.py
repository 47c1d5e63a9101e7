"""System calls that another process answers (seccomp_unotify(2)): the filter, its listener, what comes and goes there.

Numbers and structures are of the kernel's include/uapi/linux/seccomp.h and bpf_common.h. Which calls, and what is
answered, is not known here.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import sys
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from zonehost.linux import libc

_SECCOMP: Final = {"x86_64": 317, "ppc64le": 358}.get(os.uname().machine, 277)
_SET_MODE_FILTER: Final = 1
_NEW_LISTENER: Final = 1 << 3
_ALLOW: Final = 0x7FFF0000
_USER_NOTIF: Final = 0x7FC00000

_INSTRUCTION: Final = struct.Struct("=HBBI")
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _ARCHITECTURE, _SECOND = 0, 4, 24 if sys.byteorder == "little" else 28
"""Where struct seccomp_data has them; of the second argument the lower half."""
_TO_END: Final = -1
"""A jump to the end of a block, as long as it is not known how far that is."""

_RECEIVE: Final = 0xC0502100
_SEND: Final = 0xC0182101
_ID_VALID: Final = 0x40082102
_NOTIFICATION: Final = struct.Struct("=QIIiIQ6Q")
NOTIFICATION_SIZE: Final = _NOTIFICATION.size
_RESPONSE: Final = struct.Struct("=QqiI")
_CONTINUE: Final = 1


Choices = Mapping[int, Collection[int]]
"""Numbers of calls, and values of their second argument."""


class Notification(NamedTuple):
    """A thread that waits in a system call. `architecture` is an AUDIT_ARCH_… of linux/audit.h."""

    id: int
    thread: int
    architecture: int
    number: int
    arguments: tuple[int, ...]


def listen(calls: Mapping[int, Collection[int]], choosy: Mapping[int, Choices] = MappingProxyType({})) -> int:
    """Have calls of this process wait for an answer, as `program` says; the listener that they are told to.

    All programs that it runs and all its children are bound by that too. Where nothing has the listener open, such a
    call fails with ENOSYS.

    Raises:
        OSError: EBUSY, the process has another such filter; EACCES, without CAP_SYS_ADMIN or no_new_privs.
    """
    text = program(calls, choosy)
    code = ctypes.create_string_buffer(text, len(text))
    filled = struct.pack("@HP", len(text) // _INSTRUCTION.size, ctypes.addressof(code))
    return libc.syscall(_SECCOMP, _SET_MODE_FILTER, _NEW_LISTENER, filled)


def program(calls: Mapping[int, Collection[int]], choosy: Mapping[int, Choices] = MappingProxyType({})) -> bytes:
    """The filter, as an array of struct sock_filter: a block for each architecture, all else is allowed.

    The numbers in `calls` wait always, those of `choosy` where the lower half of their second argument is one of these.
    """
    blocks = []
    for architecture in {**calls, **choosy}:
        block = [(_LOAD, 0, 0, _NUMBER), *_to_the_end(calls.get(architecture, ()))]
        for number, values in choosy.get(architecture, {}).items():
            chosen = [(_LOAD, 0, 0, _SECOND), *_to_the_end(values), (_RETURN, 0, 0, _ALLOW)]
            block += [(_JUMP_EQUAL, 0, len(chosen), number), *chosen]
        block += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _USER_NOTIF)]
        end = len(block) - 1
        block = [
            (code, end - at - 1 if yes == _TO_END else yes, no, value)
            for at, (code, yes, no, value) in enumerate(block)
        ]
        blocks += [(_LOAD, 0, 0, _ARCHITECTURE), (_JUMP_EQUAL, 0, len(block), architecture), *block]
    return b"".join(_INSTRUCTION.pack(*step) for step in (*blocks, (_RETURN, 0, 0, _ALLOW)))


def _to_the_end(values: Collection[int]) -> list[tuple[int, int, int, int]]:
    return [(_JUMP_EQUAL, _TO_END, 0, value) for value in values]


def receive(listener: int, address: int) -> bool:
    """Let the kernel write the next notification to zeroed memory; False if who was to be told of has ended.

    It is there when this process is killed in the midst of the call, too.

    Raises:
        OSError: EFAULT, the memory is none.
    """
    try:
        libc.call("ioctl", listener, _RECEIVE, address)
    except FileNotFoundError:
        return False
    return True


def read(text: bytes) -> Notification:
    """What the kernel wrote."""
    id_, thread, _, number, architecture, _, *arguments = _NOTIFICATION.unpack(text)
    return Notification(id_, thread, architecture, number, tuple(arguments))


def waits(listener: int, id_: int) -> bool:
    """Whether the thread still waits: until then, its number is nobody else's."""
    try:
        fcntl.ioctl(listener, _ID_VALID, struct.pack("=Q", id_))
    except FileNotFoundError:
        return False
    return True


def succeed(listener: int, id_: int) -> None:
    """End the call with 0; nothing happens if the thread waits no more."""
    _respond(listener, _RESPONSE.pack(id_, 0, 0, 0))


def fail(listener: int, id_: int, error: int) -> None:
    """End the call with an error (errno(3)); nothing happens if the thread waits no more."""
    _respond(listener, _RESPONSE.pack(id_, 0, -error, 0))


def go_on(listener: int, id_: int) -> None:
    """Have the kernel do what was called for; nothing happens if the thread waits no more."""
    _respond(listener, _RESPONSE.pack(id_, 0, 0, _CONTINUE))


def _respond(listener: int, response: bytes) -> None:
    try:
        fcntl.ioctl(listener, _SEND, response)
    except FileNotFoundError:
        return
