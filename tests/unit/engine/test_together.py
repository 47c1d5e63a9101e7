"""Steps that a cancellation must not leave halfway."""

from __future__ import annotations

import asyncio

import pytest

from zonehost.engine.together import to_the_end


async def test_a_cancelled_step_ends_before_its_caller() -> None:
    begun, release, order = asyncio.Event(), asyncio.Event(), []

    async def step() -> None:
        begun.set()
        await release.wait()
        order.append("step")

    async def caller() -> None:
        try:
            await to_the_end(step())
        finally:
            order.append("caller")

    task = asyncio.create_task(caller())
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert order == []
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert order == ["step", "caller"]


async def test_its_result_and_its_error_are_the_steps() -> None:
    async def fail() -> None:
        raise KeyError("x")

    assert await to_the_end(asyncio.sleep(0, 5)) == 5
    with pytest.raises(KeyError):
        await to_the_end(fail())
