"""Talking with a job of the launcher: its words, and its failure as our error."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import msgspec

from zonehost import errors
from zonehost.drivers.runtime import words
from zonehost.drivers.runtime.intake import next_packet, readable


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One packet of a job (`report`). From conmon: `{"pid": …}`, or `{"pid": -1, "message": …}` with what crun said."""

    kind: str = ""
    """What descriptor the packet carries: `net`, the network namespace; `listener`, of calls; `terminal`, its master.
    Else an error's class in `zonehost.errors`, or empty."""
    pid: int = 0
    message: str = ""


async def hear(report: socket.socket) -> tuple[Said | None, list[int]]:
    """The next packet and its descriptors; None when the other side has ended."""
    await readable(report.fileno())
    data, fds = next_packet(report, 65536, 1)
    return (msgspec.json.decode(data, type=Said) if data else None), fds


def failure(said: Said | None, args: Sequence[str]) -> errors.ZonehostError:
    """The error that a job's last words mean; `args` is the program it was to start, None that it said nothing."""
    if said is None:
        return errors.Unavailable("the launcher's job died before the process was started")
    if said.kind:
        kind: type[errors.ZonehostError] = getattr(errors, said.kind)
        return kind(said.message)
    return words.refusal(said.message, args)
