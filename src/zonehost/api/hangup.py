"""Whether the other end of a unix socket is gone, or has only ended its side.

After a half-close nothing more can be read, so reading tells no more; a hang-up is what tells (EPOLLHUP, epoll_ctl(2)).
Over TCP a client that is gone is noticed only when something is sent to it.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable


class HangupWatch:
    """Calls back once, when both directions of the socket are shut."""

    def __init__(self, sock: socket.socket, callback: Callable[[], None]) -> None:
        self._callback = callback
        self._loop = asyncio.get_running_loop()
        self._epoll: select.epoll | None = select.epoll(1)
        # No events are asked for: hang-ups and errors are always told.
        self._epoll.register(sock.fileno(), 0)
        self._loop.add_reader(self._epoll.fileno(), self._tell)

    def close(self) -> None:
        """Stop watching. Idempotent."""
        if self._epoll is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _tell(self) -> None:
        self.close()
        self._callback()


def can_watch(sock: socket.socket) -> bool:
    """Whether hang-ups of this kind of socket can be seen."""
    return sock.family == socket.AF_UNIX
