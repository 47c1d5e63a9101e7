"""Long verbs that tell how they get on: Docker's progress streams, one JSON object after the other.

What goes wrong before the first message is an error of the whole request; after it, the last message says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from zonehost.api import answers
from zonehost.api.delivery import deliver, json_line
from zonehost.errors import ZonehostError
from zonehost.ports.builder import CommandFailed

Message = dict[str, Any]
Tell = Callable[[Message], None]

WAITING: Final = 1 << 16
"""So many messages may wait for a client that does not read; then it counts as gone."""
FEW: Final = 64
"""So many may wait where the verb can wait for the client."""


class Teller:
    """What a verb tells its messages to."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._few = asyncio.Event()
        self._few.set()

    def __call__(self, message: Message) -> None:
        """Tell something. Raises ConnectionError if the client does not listen any more."""
        if self._messages.qsize() >= WAITING:
            raise ConnectionAbortedError("the client does not read what it is told")
        self._messages.put_nowait(message)
        if self._messages.qsize() > FEW:
            self._few.clear()

    async def drain(self) -> None:
        """Wait while the client is slow to read."""
        await self._few.wait()

    def close(self) -> None:
        """There will be nothing more."""
        self._messages.put_nowait(None)

    async def next(self) -> Message | None:
        """The next message; None at the end."""
        message = await self._messages.get()
        if self._messages.qsize() <= FEW:
            self._few.set()
        return message


async def follow(request: web.BaseRequest, work: Callable[[Teller], Awaitable[None]]) -> web.StreamResponse:
    """Do the work, and send what it tells as lines of JSON."""
    return await deliver(request, answers.JSON, progress(work), json_line, prompt=False)


async def progress(work: Callable[[Teller], Awaitable[None]]) -> AsyncGenerator[Message, None]:
    """The messages of a verb while it works, and at the end its failure, if it failed.

    The work is cancelled when nobody listens any more. Raises what it raises before its first message.
    """
    teller = Teller()
    task = asyncio.ensure_future(work(teller))
    task.add_done_callback(lambda _: teller.close())
    told = False
    try:
        while (message := await teller.next()) is not None:
            told = True
            yield message
        try:
            await task
        except ZonehostError as error:
            if not told:
                raise
            yield failure(error)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def failure(error: ZonehostError) -> Message:
    """The message that tells that all is lost, with the exit code if a command failed."""
    detail: Message = {"message": str(error)}
    if isinstance(error, CommandFailed):
        detail["code"] = error.code
    return {"errorDetail": detail, "error": str(error)}
