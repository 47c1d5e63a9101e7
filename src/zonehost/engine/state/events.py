"""The events of a host: a ring of those that were, and a queue for everyone who listens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from zonehost.domain.event import Event

REMEMBERED: Final = 1024
BEHIND: Final = 4096
"""A listener that is so many events behind is let go: a client that does not read holds no memory."""


class Listener:
    """One client's queue."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(BEHIND)
        self._lost = False

    def offer(self, event: Event) -> None:
        """Queue an event, or give the listener up if it does not keep pace."""
        if self._lost:
            return
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._lost = True

    async def next(self) -> Event | None:
        """The next event; None if the listener fell too far behind."""
        if self._lost and self._queue.empty():
            return None
        return await self._queue.get()


class EventBus:
    """Told in order, to all."""

    def __init__(self) -> None:
        self._past: deque[Event] = deque(maxlen=REMEMBERED)
        self._listeners: set[Listener] = set()

    def __len__(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def tell(self, event: Event) -> None:
        """Remember an event and hand it to all who listen."""
        self._past.append(event)
        for listener in self._listeners:
            listener.offer(event)

    def past(self, since: int, until: int | None) -> Iterator[Event]:
        """Remembered events of that time, oldest first; bounds in nanoseconds, without `until` all since."""
        return (event for event in tuple(self._past) if event.time >= since and (until is None or event.time <= until))

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """A queue of all events from now on."""
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
