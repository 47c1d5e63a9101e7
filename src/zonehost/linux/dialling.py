"""A connection to a socket of packets that another process of this host listens on (unix(7), SOCK_SEQPACKET)."""

from __future__ import annotations

import socket


def dial(path: str, seconds: float) -> socket.socket:
    """A blocking connection, each call of which may take so many seconds.

    Raises:
        FileNotFoundError, ConnectionRefusedError: nobody listens there. OSError: as connect(2).
    """
    dialled = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    dialled.settimeout(seconds)
    try:
        dialled.connect(path)
    except OSError:
        dialled.close()
        raise
    return dialled
