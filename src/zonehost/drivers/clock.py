"""The driver of the clock port: the machine's own clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class SystemClock:
    """`ports.clock.Clock`. The wall clock may be set; where it is set back, time goes on from where it was.

    So what is due at a date is due when that much time has passed, and no date comes twice.
    """

    def __init__(self, wall: Callable[[], int] = time.time_ns, passing: Callable[[], int] = time.monotonic_ns) -> None:
        """Of both in nanoseconds: the time since the epoch, and one that nobody sets."""
        self._wall = wall
        self._passing = passing
        self._last = 0
        self._seen = passing()

    def now(self) -> int:
        """Nanoseconds since the epoch."""
        wall = self._wall()  # before the other: a pause between the two must not put us ahead
        seen = self._passing()
        self._last = max(wall, self._last + max(1, seen - self._seen))
        self._seen = seen
        return self._last

    def uptime(self) -> int:
        """Nanoseconds of CLOCK_BOOTTIME (clock_gettime(2))."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Return when so many seconds have passed."""
        await asyncio.sleep(seconds)
