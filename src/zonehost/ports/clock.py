"""Time, as the engine sees it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The wall clock, the time that passes, and the wait; a fake moves by hand."""

    def now(self) -> int:
        """Nanoseconds since the epoch; never the same twice, never backwards."""

    def uptime(self) -> int:
        """Nanoseconds since the machine was started, also those that it slept; nobody sets it."""

    async def sleep(self, seconds: float) -> None:
        """Return when so many seconds have passed."""
