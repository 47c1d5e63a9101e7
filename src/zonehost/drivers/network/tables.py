"""The instance's tables in the kernel: kept what the state says.

Small changes are elements, gathered into one transaction while another runs. When one fails, because somebody else
changed our tables, the whole is written anew from the state.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from zonehost.errors import SystemFailure
from zonehost.linux.netlink import Channel
from zonehost.linux.netlink_sets import NETFILTER, Change, commit
from zonehost.linux.nftables import Nftables, NftablesError

_log = logging.getLogger(__name__)


class Tables:
    """Writes to nftables from one thread of its own; `whole` gives the ruleset that the state means now."""

    def __init__(self, whole: Callable[[], str]) -> None:
        self._whole = whole
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nftables")
        self._nftables: Nftables | None = None
        self._lock = asyncio.Lock()
        self._channel: Channel | None = None
        self._pending: list[Change] = []
        self._broken = False

    async def change(self, changes: Sequence[Change]) -> None:
        """Make the changes, with those of others who wait; the state has them already.

        Raises:
            SystemFailure: the kernel refused even the whole.
        """
        if not changes:
            return
        self._pending += changes
        async with self._lock:
            batch, self._pending = self._pending, []
            if self._broken:
                await self._replace()
            elif batch:
                try:
                    await self._in_thread(self._commit, batch)
                except OSError as error:
                    _log.warning("nftables: %s; writing the whole of %s anew", error.strerror, batch[0].table)
                    await self._replace()

    async def replace(self) -> None:
        """Write the whole.

        Raises:
            SystemFailure: the kernel refused.
        """
        async with self._lock:
            self._pending = []
            await self._replace()

    async def close(self, commands: str) -> None:
        """Carry these out, if any, and give the thread and its socket back."""
        async with self._lock:
            try:
                if commands:
                    await self._in_thread(self._run, commands)
            except NftablesError as error:
                raise SystemFailure(f"nftables: {error}") from error
            finally:
                await self._in_thread(self._close)
                self._thread.shutdown(wait=False)

    async def _replace(self) -> None:
        self._broken = True
        try:
            await self._in_thread(self._run, self._whole())
        except NftablesError as error:
            raise SystemFailure(f"nftables: {error}") from error
        self._broken = False

    async def _in_thread(self, work: Callable[..., None], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _run(self, commands: str) -> None:
        if self._nftables is None:
            self._nftables = Nftables()
        self._nftables.run(commands)

    def _commit(self, changes: Sequence[Change]) -> None:
        if self._channel is None:
            self._channel = Channel(NETFILTER)
        commit(self._channel, changes)

    def _close(self) -> None:
        if self._nftables is not None:
            self._nftables.close()
            self._nftables = None
        if self._channel is not None:
            self._channel.close()
            self._channel = None
