"""Links stay, also when somebody deletes one: the kernel tells it, a bridge is made again, and of others it is told on.

Knows which links should be there by asking, and nothing of how they are made.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

from zonehost.errors import ZonehostError
from zonehost.linux.netlink_links import LinkMonitor

log = logging.getLogger(__name__)


class LinkWatch:
    """`wanted` gives the names of the bridges that should be there now, `mend` makes those that are not.

    `tell` gets the names of all links that have gone; None where some may have gone that nobody heard of.
    """

    def __init__(
        self,
        wanted: Callable[[], Collection[str]],
        mend: Callable[[], Awaitable[None]],
        tell: Callable[[Collection[str] | None], None],
    ) -> None:
        self._wanted = wanted
        self._mend = mend
        self._tell = tell
        self._monitor: LinkMonitor | None = None
        self._mending: asyncio.Task[None] | None = None
        self._gone = False

    def begin(self) -> None:
        """Watch from now on, until `close`. Idempotent."""
        if self._monitor is None:
            self._monitor = LinkMonitor()
            asyncio.get_running_loop().add_reader(self._monitor.fileno(), self._noticed)

    async def close(self) -> None:
        """Watch no more. Idempotent."""
        if self._monitor is not None:
            asyncio.get_running_loop().remove_reader(self._monitor.fileno())
            self._monitor.close()
            self._monitor = None
        if self._mending is not None:
            self._mending.cancel()
            await asyncio.wait([self._mending])

    def _noticed(self) -> None:
        assert self._monitor is not None
        gone = self._monitor.gone()
        missed, self._monitor.missed = self._monitor.missed, False
        self._tell(None if missed else gone)
        lost = set(gone) & set(self._wanted())
        if not lost and not missed:
            return
        for name in sorted(lost):
            log.warning("somebody deleted the bridge %s; making it again", name)
        self._gone = True
        if self._mending is None or self._mending.done():
            self._mending = asyncio.get_running_loop().create_task(self._until_mended())

    async def _until_mended(self) -> None:
        while self._gone:
            self._gone = False
            try:
                await self._mend()
            except ZonehostError as error:
                log.error("a bridge cannot be made again: %s", error)
