"""What a job of the launcher says to the daemon, a packet each; conmon's words have the same form."""

from __future__ import annotations

import socket

import msgspec

from zonehost.errors import ZonehostError


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One packet. From conmon: `{"pid": …}`, or `{"pid": -1, "message": …}` with what crun said."""

    kind: str = ""
    """What descriptor the packet carries: `net`, the network namespace; `listener`, of calls; `terminal`, its master.
    Else an error's class in `zonehost.errors`, or empty."""
    pid: int = 0
    message: str = ""


def say(report: socket.socket, said: Said) -> None:
    """Say it."""
    report.send(msgspec.json.encode(said))


def say_error(report: socket.socket, error: ZonehostError | OSError) -> None:
    """Say what went wrong; a kernel's error becomes a SystemFailure."""
    if isinstance(error, ZonehostError):
        say(report, Said(kind=type(error).__name__, message=str(error)))
    else:
        say(report, Said(kind="SystemFailure", message=f"the launcher failed: {error}"))
