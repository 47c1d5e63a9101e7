"""Work that waits for the kernel, or for the resolver, done where the event loop does not wait with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def in_thread(executor: Executor, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """What `work` returns or raises, in a thread of the executor."""
    return await asyncio.get_running_loop().run_in_executor(executor, work, *arguments)
