"""Progress streams."""

from __future__ import annotations

import asyncio

import pytest

from zonehost.api.progress import FEW, WAITING, Teller, progress
from zonehost.errors import NotFound
from zonehost.ports.builder import CommandFailed


async def test_messages_come_as_they_are_told() -> None:
    told = asyncio.Event()

    async def work(tell: Teller) -> None:
        tell({"status": "one"})
        await told.wait()
        tell({"status": "two"})

    messages = progress(work)
    assert await anext(messages) == {"status": "one"}
    told.set()
    assert [message async for message in messages] == [{"status": "two"}]


async def test_what_goes_wrong_at_once_is_an_error() -> None:
    async def work(tell: Teller) -> None:
        raise NotFound("no such thing")

    with pytest.raises(NotFound):
        await anext(progress(work))


async def test_what_goes_wrong_later_is_the_last_message() -> None:
    async def work(tell: Teller) -> None:
        tell({"stream": "Step 1/1"})
        raise CommandFailed("it returned a non-zero code: 3", "it failed", 1, "exit 3", 3)

    assert [message async for message in progress(work)] == [
        {"stream": "Step 1/1"},
        {
            "errorDetail": {"message": "it returned a non-zero code: 3", "code": 3},
            "error": "it returned a non-zero code: 3",
        },
    ]


async def test_the_work_ends_when_nobody_listens() -> None:
    ended = asyncio.Event()

    async def work(tell: Teller) -> None:
        tell({})
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    messages = progress(work)
    await anext(messages)
    await messages.aclose()
    assert ended.is_set()


async def test_a_verb_can_wait_for_a_slow_client() -> None:
    told = 0

    async def work(tell: Teller) -> None:
        nonlocal told
        for _ in range(10 * FEW):
            await tell.drain()
            tell({})
            told += 1

    messages = progress(work)
    await anext(messages)
    await asyncio.sleep(0.05)
    assert told == FEW + 2
    assert len([message async for message in messages]) == 10 * FEW - 1


async def test_who_does_not_read_counts_as_gone() -> None:
    tell = Teller()
    for _ in range(WAITING):
        tell({})
    with pytest.raises(ConnectionError):
        tell({})
