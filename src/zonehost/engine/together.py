"""Doing independent steps at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def together(*steps: Awaitable[object]) -> None:
    """Await all steps; when every one has ended, raise the first error, if there is one.

    Unlike a task group it lets the others finish, so that what has to be undone is known.
    """
    results = await asyncio.gather(*steps, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
