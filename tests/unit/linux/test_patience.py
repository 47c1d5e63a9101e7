"""A call that hangs does not hold who asks, and holds no thread of others."""

from __future__ import annotations

import asyncio
import threading

import pytest

from zonehost.errors import Unavailable
from zonehost.linux.patience import patiently


async def test_an_answer_and_an_error_come_through() -> None:
    assert await patiently(lambda: 7, "seven", 5) == 7

    def fail() -> None:
        raise FileNotFoundError("gone")

    with pytest.raises(FileNotFoundError, match="gone"):
        await patiently(fail, "failure", 5)


async def test_who_hangs_is_left_to_itself() -> None:
    freed = threading.Event()
    hung = [asyncio.ensure_future(patiently(freed.wait, f"/hung/{number}", 0.05)) for number in range(50)]
    assert await patiently(lambda: "quick", "other", 5) == "quick"
    for waiting in hung:
        with pytest.raises(Unavailable, match=r"/hung/\d+ does not answer within 0.05 seconds"):
            await waiting
    freed.set()
