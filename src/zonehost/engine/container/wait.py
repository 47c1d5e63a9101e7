"""`docker wait`, and what `docker run` waits on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum

from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone


class WaitCondition(StrEnum):
    """What to wait for."""

    NOT_RUNNING = "not-running"
    NEXT_EXIT = "next-exit"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Waited:
    """The exit code, and what keeps the container from going, if anything does."""

    code: int
    error: str = ""


async def wait(host: Host, ref: str, condition: WaitCondition) -> Awaitable[Waited]:
    """Register for a condition; no end after this call is missed. Await the result for the end itself.

    Raises:
        NotFound: there is no such container.
    """
    zone = host.containers.find(ref)
    if condition is WaitCondition.NOT_RUNNING and not zone.active:
        return _now(zone)
    bell = zone.removal if condition is WaitCondition.REMOVED else zone.exits
    return _result(zone, asyncio.shield(bell.next()))


async def _now(zone: Zone) -> Waited:
    return Waited(zone.record.state.exit_code, zone.record.state.blocked)


async def _result(zone: Zone, ended: asyncio.Future[int]) -> Waited:
    return Waited(await ended, zone.record.state.blocked)
