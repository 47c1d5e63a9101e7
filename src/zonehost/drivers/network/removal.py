"""Links deleted, many for the price of one.

The kernel unlists a link within a millisecond, then waits for its own grace periods: 16 ms for one, not much more
for forty deleted together (RTM_DELLINK of a group). So a thread deletes whatever has gathered meanwhile, and whoever
waits is answered when the link is unlisted, by the kernel's own notice (RTNLGRP_LINK). The wait is after the kernel has
let go of its lock of all links: a second thread can have the next link unlisted meanwhile.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import Final

from zonehost.errors import SystemFailure
from zonehost.linux import netlink_links as rt
from zonehost.linux.netlink import Channel

_THREADS: Final = 2


class LinkRemoval:
    """Deletes links of this namespace by name. `group` is a link group that nobody else on the host uses."""

    def __init__(self, executor: Executor, group: int) -> None:
        self._executor = executor
        self._group = group
        self._lock = threading.Lock()
        self._queue: list[str] = []
        self._working = 0
        self._workers: set[asyncio.Future[None]] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._monitor: rt.LinkMonitor | None = None

    async def remove(self, names: Iterable[str]) -> None:
        """Delete the links; those that are not there are no error. They are unlisted when this returns.

        Raises:
            SystemFailure: the kernel refused.
        """
        loop = asyncio.get_running_loop()
        waits = []
        for name in names:
            future = self._waiting.get(name)
            if future is None:
                future = self._waiting[name] = loop.create_future()
                with self._lock:
                    self._queue.append(name)
            waits.append(future)
        if not waits:
            return
        self._watch(loop)
        with self._lock:
            start = self._working < _THREADS
            self._working += start
        if start:
            worker = loop.run_in_executor(self._executor, self._work, loop)
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        await asyncio.gather(*map(asyncio.shield, waits))

    async def idle(self) -> None:
        """Wait until the kernel is done with what was begun."""
        if self._workers:
            await asyncio.wait(self._workers)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._monitor is None:
            self._monitor = rt.LinkMonitor()
            loop.add_reader(self._monitor.fileno(), self._noticed)

    def _noticed(self) -> None:
        assert self._monitor is not None
        for name in self._monitor.gone():
            self._settle(name, None)

    def _settle(self, name: str, error: SystemFailure | None) -> None:
        future = self._waiting.pop(name, None)
        if future is not None and not future.done():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
        if not self._waiting and self._monitor is not None:
            asyncio.get_running_loop().remove_reader(self._monitor.fileno())
            self._monitor.close()
            self._monitor = None

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Runs in a worker thread until the queue is empty."""
        with Channel(rt.ROUTE) as channel:
            while True:
                with self._lock:
                    names, self._queue = self._queue, []
                    if not names:
                        self._working -= 1
                        return
                error: SystemFailure | None = None
                try:
                    self._delete(channel, names)
                except OSError as failure:
                    error = SystemFailure(f"links cannot be deleted: {failure.strerror}")
                for name in names:
                    loop.call_soon_threadsafe(self._settle, name, error)

    def _delete(self, channel: Channel, names: list[str]) -> None:
        links = [link for name in names if (link := rt.link_named(channel, name))]
        if len(links) > 1:
            channel.send([rt.set_link(link.index, group=self._group) for link in links])
            requests = [rt.delete_group(self._group)]
        else:
            requests = [rt.delete_link(link.index) for link in links]
        for answer in channel.send(requests) if requests else []:
            if answer is not None and answer.errno not in (errno.ENODEV, errno.ESRCH):
                raise answer
