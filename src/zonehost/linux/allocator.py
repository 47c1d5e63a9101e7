"""glibc's allocator: how many heaps it keeps, and which memory it gives back when it is freed (mallopt(3))."""

from __future__ import annotations

from typing import Final

from zonehost.linux import libc

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8


def give_back(size: int) -> None:
    """From now on have blocks of so many bytes or more, and as much at the heap's end, go back when they are freed.

    Without this the bound rises to the largest block that was ever freed, up to 32 MiB.
    """
    libc.call("mallopt", _MMAP_THRESHOLD, size)
    libc.call("mallopt", _TRIM_THRESHOLD, size)


def share_heap() -> None:
    """Have all threads that are yet to come use the heap of the first.

    Without this each has one of its own, of which the others get nothing that is free: a thread pool's heaps fill for
    hours, one by one. For a process in which Python's lock keeps threads from wanting memory at once anyway.
    """
    libc.call("mallopt", _ARENA_MAX, 1)
