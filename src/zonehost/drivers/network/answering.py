"""Which zones the resolver answers, remembered so that another one can take over when it dies.

Holds a descriptor of each zone's network namespace as long as the resolver's sockets are in it; `drop` lets both go.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import TypeVar

from zonehost.drivers.network.resolver.views import Zone
from zonehost.drivers.network.resolving import Lost, Resolver
from zonehost.errors import ZonehostError

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Answering:
    """The views of all zones that have a resolver."""

    def __init__(self, resolver: Resolver, executor: Executor) -> None:
        self._resolver = resolver
        self._executor = executor
        self._views: dict[str, Zone] = {}
        self._namespaces: dict[str, int] = {}
        self._rebuilding = asyncio.Lock()
        self._lifeline: int | None = None
        self._repair: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Have a resolver, so that the first zone need not wait for its start."""
        await self._in_thread(self._resolver.start)
        self._hold_lifeline()

    async def put(self, view: Zone, netns: int | None = None) -> None:
        """Let the zone resolve this view from now on; its namespace is needed the first time.

        Raises:
            SystemFailure: its sockets cannot be made.
        """
        fresh = view.id not in self._namespaces
        if fresh and netns is None:
            return
        if fresh and netns is not None:
            self._namespaces[view.id] = os.dup(netns)
        self._views[view.id] = view
        try:
            await self._in_thread(self._put, view, fresh, False)
        except Lost:
            await self._rebuild()
        self._hold_lifeline()

    async def drop(self, zone: str) -> None:
        """Forget the zone. Idempotent."""
        self._views.pop(zone, None)
        namespace = self._namespaces.pop(zone, None)
        if namespace is not None:
            os.close(namespace)
            await self._in_thread(self._resolver.drop, zone)

    async def restore(self, zones: Iterable[tuple[Zone, int]]) -> None:
        """Take over the resolver that runs, or start another: each zone's view with its process."""
        wanted = list(zones)
        known = await self._in_thread(self._resolver.known)
        for view, pid in wanted:
            try:
                self._namespaces[view.id] = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue  # It has just ended; whoever watches zones will detach it.
            self._views[view.id] = view
            try:
                await self._in_thread(self._put, view, view.id not in known, True)
            except Lost:
                await self._rebuild()
        for zone in known - self._views.keys():
            await self._in_thread(self._resolver.drop, zone)
        if self._views:
            self._hold_lifeline()

    async def close(self, *, end: bool) -> None:
        """Let the resolver go on alone, or end it."""
        if self._lifeline is not None:
            asyncio.get_running_loop().remove_reader(self._lifeline)
            self._lifeline = None
        if self._repair is not None:
            self._repair.cancel()
        await self._in_thread(self._resolver.quit if end else self._resolver.leave)
        for namespace in self._namespaces.values():
            os.close(namespace)
        self._namespaces.clear()
        self._views.clear()

    def _put(self, view: Zone, listen: bool, again: bool) -> None:
        self._resolver.put(view, self._namespaces.get(view.id) if listen else None, again=again)

    async def _rebuild(self) -> None:
        """Give every zone to a new resolver; those who come meanwhile find it done."""
        waiting = self._rebuilding.locked()
        async with self._rebuilding:
            if waiting and self._resolver.running:
                return
            for view in list(self._views.values()):
                try:
                    await self._in_thread(self._put, view, True, True)
                except (Lost, ZonehostError) as error:
                    _log.error("container %s resolves no names: %s", view.id[:12], error)

    def _hold_lifeline(self) -> None:
        """Be told by the kernel when the resolver ends."""
        descriptor = self._resolver.lifeline()
        if descriptor is not None and self._lifeline is None:
            self._lifeline = descriptor
            asyncio.get_running_loop().add_reader(descriptor, self._ended)

    def _ended(self) -> None:
        assert self._lifeline is not None
        asyncio.get_running_loop().remove_reader(self._lifeline)
        self._lifeline = None
        _log.warning("the resolver has ended; starting another")
        self._resolver.leave()
        self._repair = asyncio.get_running_loop().create_task(self._begin_again())

    async def _begin_again(self) -> None:
        await self._rebuild()
        if self._views:
            self._hold_lifeline()

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)
