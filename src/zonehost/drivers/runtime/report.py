"""What a job of the launcher says to the daemon, a packet of JSON each, as conmon does; `jobs.Said` is how it is read.

It is imported where a job must be small, and so knows JSON only of Python's own library.
"""

from __future__ import annotations

import json
import os
import socket

from zonehost.errors import ZonehostError


def say(report: int, kind: str, message: str = "", *fds: int) -> None:
    """Say something on a socket, or hand a descriptor over; the kinds are those of `jobs.Said`."""
    with socket.socket(fileno=os.dup(report)) as connection:
        socket.send_fds(connection, [json.dumps({"kind": kind, "message": message}).encode()], fds)


def say_error(report: int, error: ZonehostError | OSError) -> None:
    """Say what went wrong; a kernel's error becomes a SystemFailure."""
    if isinstance(error, ZonehostError):
        say(report, type(error).__name__, str(error))
    else:
        say(report, "SystemFailure", f"the launcher failed: {error}")
