"""Listeners of calls, on the daemon's side: what `listening` sends is given to the supervisor."""

from __future__ import annotations

import asyncio
import os
import secrets

from zonehost.errors import SystemFailure
from zonehost.linux.forkserver import Child
from zonehost.ports.supervisor import Supervisor


def new_key() -> int:
    """A name for a listener, which no other has; never 0."""
    return secrets.randbits(63) | 1


def given(supervisor: Supervisor, key: int, listener: int, job: Child) -> asyncio.Future[None]:
    """The giving of a listener, which is closed with it, even if it never ran.

    If it fails, the job is killed: it would wait for an answer that nobody gives.
    """
    work = asyncio.ensure_future(_give(supervisor, key, listener, job))
    work.add_done_callback(lambda _: os.close(listener))
    return work


async def _give(supervisor: Supervisor, key: int, listener: int, job: Child) -> None:
    try:
        await supervisor.watch(key, listener)
    except SystemFailure:
        job.kill()
        raise
