"""Calls that wait for an answer, in a file: those that a supervisor leaves behind when it dies are found by the next.

A notification is told once. So the kernel writes it into memory that is mapped from the file, beside the key of its
listener, and it stays there until the call is answered: no moment is left in which a call could be forgotten.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from typing import Final

from zonehost.linux import seccomp_notify
from zonehost.linux.seccomp_notify import NOTIFICATION_SIZE, Notification

PLACES: Final = 4096
"""Calls that can wait at the same time."""
_KEY: Final = struct.Struct("=Q")
_PLACE: Final = _KEY.size + NOTIFICATION_SIZE
_EMPTY: Final = bytes(NOTIFICATION_SIZE)


class Waiting:
    """A call that waits. `listener` is the descriptor by which it is answered."""

    def __init__(self, place: int, listener: int, notification: Notification) -> None:
        self.place = place
        self.listener = listener
        self.notification = notification


class Calls:
    """The file; its lengths and forms are this module's own."""

    def __init__(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            new = os.fstat(descriptor).st_size == 0
            os.ftruncate(descriptor, PLACES * _PLACE)
            self._map = mmap.mmap(descriptor, PLACES * _PLACE)
        finally:
            os.close(descriptor)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self._left = {} if new else self._take_over()
        self._free = list(range(PLACES - 1, -1, -1))

    @property
    def full(self) -> bool:
        """Whether there is no place for a further call: what was taken last must have its answer first."""
        return not self._free

    def left(self, key: int) -> list[int]:
        """The ids of what an earlier supervisor was told by this listener and has not answered; told once."""
        return self._left.pop(key, [])

    def take(self, key: int, listener: int) -> Waiting | None:
        """The next call of a listener that has one; None if it is gone by now."""
        place = self._free.pop()
        at = place * _PLACE
        _KEY.pack_into(self._map, at, key)
        if not seccomp_notify.receive(listener, self._address + at + _KEY.size):
            self._free.append(place)
            return None
        text = self._map[at + _KEY.size : at + _PLACE]
        return Waiting(place, listener, seccomp_notify.read(text))

    def forget(self, waiting: Waiting) -> None:
        """It has its answer."""
        at = waiting.place * _PLACE + _KEY.size
        self._map[at : at + NOTIFICATION_SIZE] = _EMPTY
        self._free.append(waiting.place)

    def _take_over(self) -> dict[int, list[int]]:
        left: dict[int, list[int]] = {}
        for at in range(0, PLACES * _PLACE, _PLACE):
            text = self._map[at + _KEY.size : at + _PLACE]
            if text != _EMPTY:
                (key,) = _KEY.unpack_from(self._map, at)
                left.setdefault(key, []).append(seccomp_notify.read(text).id)
                self._map[at : at + _PLACE] = bytes(_PLACE)
        return left
