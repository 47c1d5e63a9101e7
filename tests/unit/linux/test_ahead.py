"""Work that a thread does ahead of whoever uses what comes of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from zonehost.linux.ahead import ahead


def test_items_come_in_order() -> None:
    assert list(ahead(range(1000), 3)) == list(range(1000))
    assert list(ahead((), 3)) == []


def test_what_the_iterable_raises_comes_after_its_items() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise KeyError("no more")

    found = ahead(failing(), 3)
    assert next(found) == 1
    with pytest.raises(KeyError, match="no more"):
        next(found)


def test_no_more_than_there_is_room_for_are_made_ahead() -> None:
    made: list[int] = []
    third = threading.Event()

    def counted() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number == 2:
                third.set()
            yield number

    found = ahead(counted(), 2)
    assert next(found) == 0
    # Two wait, and the thread holds a third one that it has no room for.
    assert third.wait(5)
    assert len(made) <= 4
