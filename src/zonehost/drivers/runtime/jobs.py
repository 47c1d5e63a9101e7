"""Talking with a job of the launcher: its words, its place in the v1 cgroups, its failure as our error."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from zonehost import errors
from zonehost.drivers.runtime import words
from zonehost.drivers.runtime.intake import next_packet, readable
from zonehost.drivers.runtime.report import Said
from zonehost.linux.cgroup_group import Group
from zonehost.linux.forkserver import Child


async def hear(report: socket.socket) -> tuple[Said | None, list[int]]:
    """The next packet and its descriptors; None when the other side has ended."""
    await readable(report.fileno())
    data, fds = next_packet(report, 65536, 1)
    return (msgspec.json.decode(data, type=Said) if data else None), fds


async def admit(report: socket.socket, child: Child, group: Group) -> None:
    """Move the job into the v1 groups while it works, then let it become the keeper.

    To move a process may take a grace period of 15 ms, in which the process itself can go on.
    """
    try:
        await asyncio.to_thread(group.admit, child.pid)
    except ProcessLookupError:
        return  # it has ended, and what it said tells why
    except OSError as error:
        child.kill()
        raise errors.SystemFailure(f"cannot move the zone into its cgroups: {error}") from error
    with suppress(BrokenPipeError):
        report.send(b"x")


def failure(said: Said | None, args: Sequence[str]) -> errors.ZonehostError:
    """The error that a job's last words mean; `args` is the program it was to start, None that it said nothing."""
    if said is None:
        return errors.Unavailable("the launcher's job died before the process was started")
    if said.kind:
        kind: type[errors.ZonehostError] = getattr(errors, said.kind)
        return kind(said.message)
    return words.refusal(said.message, args)
