"""The driver of the clock port: the machine's own clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """`ports.clock.Clock`. The wall clock may be set back; what it tells never is, and never twice the same."""

    def __init__(self) -> None:
        self._last = 0

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        self._last = max(time.time_ns(), self._last + 1)
        return self._last

    async def sleep(self, seconds: float) -> None:
        """Return when so many seconds have passed."""
        await asyncio.sleep(seconds)
