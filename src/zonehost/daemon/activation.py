"""Sockets that the service manager listens on for the daemon, and keeps while there is none (sd_listen_fds(3)).

A client that connects meanwhile waits, and a container that has the socket bound into it keeps its way to the daemon.
Who may connect is the socket unit's to say.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from typing import Final

from zonehost.errors import InvalidParameter

_FIRST: Final = 3
"""SD_LISTEN_FDS_START."""


def inherited(environment: MutableMapping[str, str]) -> list[socket.socket]:
    """The sockets that were passed to this process; what told of them goes from the environment.

    Raises:
        InvalidParameter: there are none, or one is no unix socket that listens.
    """
    meant_for, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if meant_for != str(os.getpid()) or not count.isdecimal() or int(count) == 0:
        raise InvalidParameter("no sockets were passed for fd://: start the daemon by its socket unit, zonehost.socket")
    return [_taken(fd) for fd in range(_FIRST, _FIRST + int(count))]


def _taken(fd: int) -> socket.socket:
    try:
        os.set_inheritable(fd, False)
        taken = socket.socket(fileno=fd)
        listens = taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise InvalidParameter(f"descriptor {fd}, passed for fd://, is no socket: {error.strerror}") from error
    if taken.family != socket.AF_UNIX or not listens:
        taken.close()
        raise InvalidParameter(f"descriptor {fd}, passed for fd://, is no unix socket that listens")
    taken.setblocking(False)
    return taken
