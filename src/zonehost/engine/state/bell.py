"""A thing that many wait for, and that happens again and again."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Bell(Generic[T]):
    """Who asks for `next` before a ring gets that ring's value."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next: asyncio.Future[T] | None = None

    def next(self) -> asyncio.Future[T]:
        """Done at the next ring. One future for all who wait: shield it where it could be cancelled."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        return self._next

    def ring(self, value: T) -> None:
        """Wake all who wait."""
        if self._next is not None:
            if not self._next.done():
                self._next.set_result(value)
            self._next = None
