"""The instance's tables in the kernel: kept what the state says.

Small changes are elements, gathered into one transaction while another runs. When one fails, or the kernel tells that
somebody deleted in our tables, the whole is written anew from the state.

A second table, the guard, has one NAT chain and one rule that asks for a connection's state, and belongs to a
process of ours, so that nobody else can delete it (nft(8), flags owner). While such a chain and such a rule are in a
network namespace, the kernel follows connections and translates those that exist, also when a flush has taken our rules
away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from zonehost.drivers.network.threads import in_thread
from zonehost.errors import SystemFailure
from zonehost.linux import nftables
from zonehost.linux.netlink import Channel
from zonehost.linux.netlink_sets import NETFILTER, Change, commit
from zonehost.linux.netlink_tables import TableMonitor, count_rules
from zonehost.linux.nftables import NftablesError

_log = logging.getLogger(__name__)
_GUARD: Final = """table inet {table}/guard {{
	flags owner;
	chain kept {{
		type nat hook postrouting priority 200; policy accept;
		ct state established accept;
	}};
}}
"""

_AGAIN_SECONDS: Final = 0.2
_LISTS_FLAGS: Final = (1, 1)
"""An nft that can list a table with flags as JSON; older ones, 1.0.6 of Debian 12 among them, corrupt
their memory over it, so that everyone who lists the ruleset would crash: there, no guard is made."""


class Tables:
    """Writes to nftables from one thread of its own; `whole` gives the ruleset that the state means now.

    `rules` is how many rules that has, by family. Without a word on the `guard`, there is one where nft can list it.
    """

    def __init__(
        self, table: str, rules: Mapping[str, int], whole: Callable[[], str], *, guard: bool | None = None
    ) -> None:
        self._table = table
        self._guard = guard
        self._rules = rules
        self._whole = whole
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nftables")
        self._held: nftables.Held | None = None
        self._begun = False
        self._lock = asyncio.Lock()
        self._channel: Channel | None = None
        self._pending: list[Change] = []
        self._broken = False
        self._monitor: TableMonitor | None = None
        self._thinned = False
        self._check: asyncio.Task[None] | None = None

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
                    await in_thread(self._thread, self._commit, batch)
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
        """Carry these out, if any, and give the thread and its sockets back."""
        self._stop_watching()
        async with self._lock:
            try:
                if commands:
                    await in_thread(self._thread, self._run, commands)
            except NftablesError as error:
                raise SystemFailure(f"nftables: {error}") from error
            finally:
                await in_thread(self._thread, self._close)
                self._thread.shutdown(wait=False)

    async def _replace(self) -> None:
        self._broken = True
        try:
            await in_thread(self._thread, self._run, self._whole())
        except NftablesError as error:
            raise SystemFailure(f"nftables: {error}") from error
        self._broken = False
        self._watch()

    def _whole_there(self) -> bool:
        """Whether the kernel has as many rules as were written."""
        channel = self._open_channel()
        return all(count_rules(channel, family, self._table) == count for family, count in self._rules.items())

    def _watch(self) -> None:
        if self._monitor is None:
            self._monitor = TableMonitor()
            asyncio.get_running_loop().add_reader(self._monitor.fileno(), self._noticed)

    def _stop_watching(self) -> None:
        if self._monitor is not None:
            asyncio.get_running_loop().remove_reader(self._monitor.fileno())
            self._monitor.close()
            self._monitor = None
        if self._check is not None:
            self._check.cancel()

    def _noticed(self) -> None:
        assert self._monitor is not None
        if self._table in self._monitor.thinned() or self._monitor.missed:
            self._monitor.missed = False
            self._thinned = True
            if self._check is None or self._check.done():
                self._check = asyncio.get_running_loop().create_task(self._repair())

    async def _repair(self) -> None:
        """Write the whole if a rule is missing; our own replacements delete too, and leave none missing."""
        while self._thinned:
            async with self._lock:
                self._thinned = False
                try:
                    if not await in_thread(self._thread, self._whole_there):
                        _log.warning("somebody changed the tables %s; writing them anew", self._table)
                        await self._replace()
                except (OSError, SystemFailure) as error:
                    _log.error("the tables %s cannot be repaired: %s; trying again", self._table, error)
                    self._thinned = True
            if self._thinned:
                await asyncio.sleep(_AGAIN_SECONDS)

    def _run(self, commands: str) -> None:
        if not self._begun:
            self._begun = True
            if self._guard if self._guard is not None else nftables.version() >= _LISTS_FLAGS:
                self._held = nftables.Held(_GUARD.format(table=self._table))
        nftables.run(commands)

    def _commit(self, changes: Sequence[Change]) -> None:
        commit(self._open_channel(), changes)

    def _open_channel(self) -> Channel:
        if self._channel is None:
            self._channel = Channel(NETFILTER)
        return self._channel

    def _close(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None
        if self._channel is not None:
            self._channel.close()
            self._channel = None
