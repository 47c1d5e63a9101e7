"""Time, as the engine sees it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The wall clock and the wait; a fake moves by hand."""

    def now(self) -> int:
        """Nanoseconds since the epoch; never the same twice, never backwards."""

    async def sleep(self, seconds: float) -> None:
        """Return when so many seconds have passed."""
