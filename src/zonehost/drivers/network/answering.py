"""Which zones the resolver answers, remembered so that another one can take over when it dies.

Holds a descriptor of each zone's network namespace as long as the resolver's sockets are in it; `drop` lets both go.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Iterable
from concurrent.futures import Executor

from zonehost.drivers.network.resolver.views import Zone
from zonehost.drivers.network.resolving import Lost, Resolver
from zonehost.drivers.network.threads import in_thread
from zonehost.errors import ZonehostError

_log = logging.getLogger(__name__)
_TRIES = 4
"""Resolvers in a row that may die while they are given their zones; one more is not tried."""


class Answering:
    """The views of all zones that have a resolver."""

    def __init__(self, resolver: Resolver, executor: Executor) -> None:
        self._resolver = resolver
        self._executor = executor
        self._views: dict[str, Zone] = {}
        self._namespaces: dict[str, int] = {}
        self._rebuilding = asyncio.Lock()
        self._outdated = False
        self._lifeline: socket.socket | None = None
        self._repair: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Have a resolver, so that the first zone need not wait for its start."""
        await in_thread(self._executor, self._resolver.start)
        self._hold_lifeline()

    async def put(self, view: Zone, netns: int | None = None) -> None:
        """Let the zone resolve this view from now on; its namespace is needed the first time.

        Raises:
            InvalidParameter: it has too many names. SystemFailure: its sockets cannot be made.
        """
        fresh = view.id not in self._namespaces
        if fresh and netns is None:
            return
        if fresh and netns is not None:
            self._namespaces[view.id] = os.dup(netns)
        before = self._views.get(view.id, view)
        self._views[view.id] = view
        try:
            await in_thread(self._executor, self._put, view, fresh, False)
        except Lost:
            await self._rebuild()
        except ZonehostError:
            self._views[view.id] = before
            raise
        self._hold_lifeline()

    async def drop(self, zone: str) -> None:
        """Forget the zone. Idempotent."""
        self._views.pop(zone, None)
        namespace = self._namespaces.pop(zone, None)
        if namespace is not None:
            os.close(namespace)
            await in_thread(self._executor, self._resolver.drop, zone)

    async def restore(self, zones: Iterable[tuple[Zone, int]]) -> None:
        """Take over the resolver that runs, or start another: each zone's view with its process."""
        wanted = list(zones)
        known = await in_thread(self._executor, self._resolver.known)
        for view, pid in wanted:
            try:
                self._namespaces[view.id] = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue  # It has just ended; whoever watches zones will detach it.
            self._views[view.id] = view
            try:
                await in_thread(self._executor, self._put, view, view.id not in known, True)
            except Lost:
                await self._rebuild()
            except ZonehostError as error:
                _log.error("container %s resolves no names: %s", view.id[:12], error)
        for zone in known - self._views.keys():
            await in_thread(self._executor, self._resolver.drop, zone)
        if self._views:
            self._hold_lifeline()

    async def close(self, *, end: bool) -> None:
        """Let the resolver go on alone, or end it."""
        self._let_go()
        if self._repair is not None:
            self._repair.cancel()
        await in_thread(self._executor, self._resolver.quit if end else self._resolver.leave)
        for namespace in self._namespaces.values():
            os.close(namespace)
        self._namespaces.clear()
        self._views.clear()

    def _put(self, view: Zone, listen: bool, again: bool) -> None:
        self._resolver.put(view, self._namespaces.get(view.id) if listen else None, again=again)

    async def _rebuild(self) -> None:
        """Give every zone to a new resolver; who wants that before it has begun finds it done."""
        self._outdated = True
        async with self._rebuilding:
            for _ in range(_TRIES):
                if not self._outdated:
                    return
                self._outdated = False
                await self._put_all()
            if self._outdated:
                _log.error("the resolver dies again and again: containers resolve no names")

    async def _put_all(self) -> None:
        for view in list(self._views.values()):
            try:
                await in_thread(self._executor, self._put, view, True, True)
            except Lost:
                self._outdated = True
                return
            except ZonehostError as error:
                _log.error("container %s resolves no names: %s", view.id[:12], error)

    def _hold_lifeline(self) -> None:
        """Be told by the kernel when the resolver ends."""
        lifeline = self._resolver.take_lifeline()
        if lifeline is not None:
            self._let_go()
            self._lifeline = lifeline
            asyncio.get_running_loop().add_reader(lifeline, self._ended)

    def _let_go(self) -> None:
        if self._lifeline is not None:
            asyncio.get_running_loop().remove_reader(self._lifeline)
            self._lifeline.close()
            self._lifeline = None

    def _ended(self) -> None:
        self._let_go()
        _log.warning("the resolver has ended; starting another")
        self._repair = asyncio.get_running_loop().create_task(self._begin_again())

    async def _begin_again(self) -> None:
        await in_thread(self._executor, self._resolver.leave)
        await self._rebuild()
        if self._views:
            self._hold_lifeline()
