"""Classic BPF programs on sockets (SO_ATTACH_FILTER of socket(7))."""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Final

_ATTACH_FILTER: Final = 26
_RETURN: Final = struct.Struct("=HBBI").pack(0x06, 0, 0, 0)
"""BPF_RET of 0 bytes: the packet is dropped, and nobody is told."""


def drop_all(bound: socket.socket) -> None:
    """Let nothing that arrives reach this socket, nor be answered: not even by a reset.

    Raises:
        OSError: the kernel refused.
    """
    program = ctypes.create_string_buffer(_RETURN, len(_RETURN))
    bound.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(program)))
