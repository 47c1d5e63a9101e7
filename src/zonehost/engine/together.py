"""Doing independent steps at once, and steps that must not be left halfway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def together(*steps: Awaitable[object]) -> None:
    """Await all steps; when every one has ended, raise the first error, if there is one.

    Unlike a task group it lets the others finish, so that what has to be undone is known.
    """
    results = await asyncio.gather(*steps, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def to_the_end(step: Coroutine[Any, Any, T]) -> T:
    """Await a step that a cancellation must not leave between memory and disk: it ends first, then the caller does."""
    task = asyncio.create_task(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise
