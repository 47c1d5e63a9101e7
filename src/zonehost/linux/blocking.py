"""Whole reads and writes in a job, on descriptors that others need not to block."""

from __future__ import annotations

import os
import select


def write_all(descriptor: int, *parts: bytes | memoryview) -> None:
    """Write all the parts, one after the other. Raises BrokenPipeError when nobody reads any more."""
    left = [memoryview(part) for part in parts if part]
    while left:
        try:
            done = os.writev(descriptor, left)
        except BlockingIOError:
            _wait(descriptor, select.POLLOUT)
            continue
        while left and done >= len(left[0]):
            done -= len(left.pop(0))
        if left:
            left[0] = left[0][done:]


def read_into(descriptor: int, room: memoryview) -> bool:
    """Fill the room; whether it was filled before the end."""
    filled = 0
    while filled < len(room):
        try:
            size = os.readv(descriptor, [room[filled:]])
        except BlockingIOError:
            _wait(descriptor, select.POLLIN)
            continue
        except ConnectionResetError:
            return False
        if not size:
            return False
        filled += size
    return True


def _wait(descriptor: int, event: int) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    poll.poll()
