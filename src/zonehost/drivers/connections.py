"""New connections from the kernel's connection tracking, for as long as somebody wants to know."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from zonehost.linux.conntrack import Connection, open_events, read_events

log = logging.getLogger(__name__)

_DNS: Final = 53
_MOST: Final = 256
"""Addresses that are kept of one source."""


class Log:
    """What was seen since it was begun."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, None]] = {}

    def add(self, connection: Connection) -> None:
        """Take in a connection."""
        seen = self._seen.setdefault(connection.source, {})
        if connection.port != _DNS and len(seen) < _MOST:
            host = f"[{connection.target}]" if ":" in connection.target else connection.target
            seen[f"{host}:{connection.port}" if connection.port else host] = None

    def from_source(self, address: str) -> tuple[str, ...]:
        """See `ConnectionLog.from_source`."""
        return tuple(self._seen.get(address, ()))


class KernelConnections:
    """Implements `ports.connections`. The socket is open while there is a log, or several will follow each other."""

    def __init__(self) -> None:
        self._logs: list[Log] = []
        self._series = 0
        self._events: socket.socket | None = None

    @contextmanager
    def several(self) -> Iterator[None]:
        """See `Connections.several`."""
        self._series += 1
        try:
            yield
        finally:
            self._series -= 1
            self._rest()

    @contextmanager
    def watch(self) -> Iterator[Log]:
        """See `Connections.watch`."""
        found = Log()
        self._logs.append(found)
        self._listen()
        try:
            yield found
        finally:
            self._logs.remove(found)
            self._rest()

    def _listen(self) -> None:
        if self._events is not None:
            return
        try:
            self._events = open_events()
        except OSError as error:
            log.warning("the kernel does not tell of connections: %s", error)
            return
        asyncio.get_running_loop().add_reader(self._events, self._read)

    def _read(self) -> None:
        assert self._events is not None
        for connection in read_events(self._events):
            for each in self._logs:
                each.add(connection)

    def _rest(self) -> None:
        """Close the socket if nobody needs it, in a thread: the kernel takes 5 ms to let go of a listener."""
        if self._events is not None and not self._logs and not self._series:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._events)
            loop.run_in_executor(None, self._events.close)
            self._events = None
