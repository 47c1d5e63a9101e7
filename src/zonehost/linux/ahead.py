"""An iterator's work done in a thread of its own, some items ahead of who uses them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T], room: int) -> Iterator[T]:
    """The same items, and what the iterable raises; at most `room` of them wait.

    A thread that is left before its end stays with its iterable until the process ends.
    """
    waiting: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
    free = threading.Semaphore(room)

    def work() -> None:
        try:
            for item in items:
                free.acquire()
                waiting.put((item,))
            waiting.put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised again, where the items are used
            waiting.put(error)

    threading.Thread(target=work, daemon=True).start()
    while (found := waiting.get()) is not None:
        if isinstance(found, BaseException):
            raise found
        free.release()
        yield found[0]
