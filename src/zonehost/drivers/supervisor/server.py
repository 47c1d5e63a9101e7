"""The supervisor's loop: it hears of calls and hands them to threads, of which a zone has its share and no more.

The loop itself waits for nothing but news. A zone whose file system hangs fills its own share of threads; its further
calls are the kernel's, and no other zone notices. The process ends when there is neither a daemon nor a listener.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Final

from zonehost.drivers.supervisor.calls import Calls, Waiting
from zonehost.linux import ancillary, seccomp_notify

ORDER: Final = struct.Struct("=Q")
"""What a daemon says: the key of a listener, which comes with it."""
STAYS: Final = b"+"
ENDS: Final = b"-"
"""What it hears when it has said all; ENDS comes with a pidfd of the supervisor."""
_AT_ONCE: Final = 32
"""Calls of one listener that are answered at the same time."""


class _Listener:
    """A listener, open as long as anything refers to it."""

    def __init__(self, key: int, descriptor: int) -> None:
        self.key = key
        self.descriptor = descriptor
        self.turns = threading.Semaphore(_AT_ONCE)

    def __del__(self) -> None:
        os.close(self.descriptor)


class Server:
    """Everything that the process has. Daemons come to `control`; `answer` answers a call, in a thread."""

    def __init__(self, control: socket.socket, calls: Calls, answer: Callable[[Waiting], None]) -> None:
        self._control = control
        self._calls = calls
        self._answer = answer
        self._poll = select.epoll()
        self._poll.register(control, select.EPOLLIN)
        self._daemons: dict[int, socket.socket] = {}
        self._listeners: dict[int, _Listener] = {}
        self._work: SimpleQueue[tuple[_Listener, Waiting]] = SimpleQueue()
        self._idle = threading.Semaphore(0)

    def run(self) -> None:
        """Serve as long as anybody is there."""
        while True:
            for descriptor, events in self._poll.poll():
                if descriptor == self._control.fileno():
                    self._accept()
                elif descriptor in self._daemons:
                    self._obey(self._daemons[descriptor])
                elif events & select.EPOLLIN:
                    self._take(self._listeners[descriptor])
                else:  # EPOLLHUP: nobody is left under its filter
                    self._poll.unregister(descriptor)
                    del self._listeners[descriptor]
            if not self._daemons and not self._listeners:
                return

    def _accept(self) -> None:
        daemon, _ = self._control.accept()
        self._daemons[daemon.fileno()] = daemon
        self._poll.register(daemon, select.EPOLLIN)

    def _obey(self, daemon: socket.socket) -> None:
        """Take a listener, or leave of the daemon."""
        try:
            order, descriptors = ancillary.receive(daemon, ORDER.size, 1)
        except ConnectionResetError:
            order, descriptors = b"", []
        if order:
            (key,) = ORDER.unpack(order)
            self._watch(_Listener(key, *descriptors))
            return
        self._poll.unregister(daemon)
        del self._daemons[daemon.fileno()]
        with daemon, suppress(OSError):
            if self._daemons or self._listeners:
                daemon.send(STAYS)
            else:
                socket.send_fds(daemon, [ENDS], [os.pidfd_open(os.getpid())])

    def _watch(self, listener: _Listener) -> None:
        if any(known.key == listener.key for known in self._listeners.values()):
            return
        for waiting in self._calls.left(listener.key):
            seccomp_notify.go_on(listener.descriptor, waiting)
        self._listeners[listener.descriptor] = listener
        self._poll.register(listener.descriptor, select.EPOLLIN)

    def _take(self, listener: _Listener) -> None:
        waiting = self._calls.take(listener.key, listener.descriptor)
        if waiting is None:
            return
        if self._calls.full or not listener.turns.acquire(blocking=False):
            seccomp_notify.go_on(listener.descriptor, waiting.notification.id)
            self._calls.forget(waiting)
            return
        if not self._idle.acquire(blocking=False):
            threading.Thread(target=self._serve, daemon=True).start()
        self._work.put((listener, waiting))

    def _serve(self) -> None:
        while True:
            listener, waiting = self._work.get()
            try:
                self._answer(waiting)
            finally:
                self._calls.forget(waiting)
                listener.turns.release()
            del listener
            self._idle.release()
