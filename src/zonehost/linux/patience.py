"""Asking the file system with an end to the patience: a file server that hangs holds one thread, never the daemon."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from zonehost.errors import Unavailable

T = TypeVar("T")


async def patiently(ask: Callable[[], T], what: str, seconds: float) -> T:
    """The answer of a blocking call, made in a thread of its own.

    A thread in an uninterruptible wait cannot be ended: it is left to itself, and ends when the kernel lets go of it.

    Raises:
        Unavailable: there was no answer in time. Also whatever the call raises.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(value)  # type: ignore[arg-type]

    def work() -> None:
        value, error = None, None
        try:
            value = ask()
        except Exception as raised:  # noqa: BLE001 - whatever it is, it is raised where the answer is awaited
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=work, name=what, daemon=True).start()
    try:
        return await asyncio.wait_for(asyncio.shield(answer), seconds)
    except TimeoutError as error:
        raise Unavailable(f"{what} does not answer within {seconds:g} seconds") from error
