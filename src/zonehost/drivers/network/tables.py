"""The instance's tables in the kernel: kept what the state says.

Small changes are element commands, gathered into one transaction while another runs. When one fails, because somebody
else changed our tables, the whole is written anew from the state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from zonehost.errors import SystemFailure
from zonehost.linux.nftables import Nftables, NftablesError


class Tables:
    """Writes to nftables from one thread of its own; `whole` gives the ruleset that the state means now."""

    def __init__(self, whole: Callable[[], str]) -> None:
        self._whole = whole
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nftables")
        self._nftables: Nftables | None = None
        self._lock = asyncio.Lock()
        self._pending: list[str] = []
        self._broken = False

    async def change(self, commands: str) -> None:
        """Carry the commands out, with those of others who wait; the state has the change already.

        Raises:
            SystemFailure: the kernel refused even the whole.
        """
        if not commands:
            return
        self._pending.append(commands)
        async with self._lock:
            batch, self._pending = "".join(self._pending), []
            if not batch and not self._broken:
                return
            try:
                if self._broken:
                    await self._run(self._whole())
                else:
                    await self._run(batch)
            except NftablesError:
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
                    await self._run(commands)
            except NftablesError as error:
                raise SystemFailure(f"nftables: {error}") from error
            finally:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
                self._thread.shutdown(wait=False)

    async def _replace(self) -> None:
        self._broken = True
        try:
            await self._run(self._whole())
        except NftablesError as error:
            raise SystemFailure(f"nftables: {error}") from error
        self._broken = False

    async def _run(self, commands: str) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, commands)

    def _commit(self, commands: str) -> None:
        if self._nftables is None:
            self._nftables = Nftables()
        self._nftables.run(commands)

    def _close(self) -> None:
        if self._nftables is not None:
            self._nftables.close()
            self._nftables = None
