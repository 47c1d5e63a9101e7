"""Descriptors that come with a message (unix(7), SCM_RIGHTS)."""

from __future__ import annotations

import array
import socket
from typing import Final

_FD: Final = array.array("i").itemsize


def receive(connection: socket.socket, size: int, most: int) -> tuple[bytes, list[int]]:
    """A message and its descriptors, `most` at most, none of which a program that is run inherits.

    `socket.recv_fds` does not pass its flags on, MSG_CMSG_CLOEXEC among them (Python 3.11 to 3.13).

    Raises:
        OSError: as recvmsg(2).
    """
    data, parts, _, _ = connection.recvmsg(size, socket.CMSG_SPACE(most * _FD), socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, part in parts:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(part[: len(part) - len(part) % _FD])
    return data, fds.tolist()
