"""Calls over HTTP/2, between two ends in memory."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.api.buildkit.wires import calling
from zonehost.api.buildkit import grpc
from zonehost.api.buildkit.grpc import Refused, ServedCall
from zonehost.api.buildkit.http2 import STREAM_WINDOW, StreamLost
from zonehost.api.buildkit.messages import BytesMessage, Empty, StatusRequest
from zonehost.errors import InvalidParameter, Unavailable, Unsupported
from zonehost.ports.builder import CommandFailed


async def echo(call: ServedCall) -> None:
    while (message := await call.receive(BytesMessage)) is not None:
        await call.send(message)


async def test_one_message_each_way() -> None:
    async with calling({"/s/echo": echo}) as (caller, _):
        answers = await asyncio.gather(
            *(caller.ask("/s/echo", BytesMessage(data=bytes([n])), BytesMessage) for n in range(100))
        )
        assert [answer.data for answer in answers] == [bytes([n]) for n in range(100)]


async def test_more_than_a_window_goes_both_ways() -> None:
    data = bytes(range(256)) * 4096
    async with calling({"/s/echo": echo}) as (caller, _):
        call = await caller.open("/s/echo")

        async def send() -> None:
            for _ in range(8):
                await call.send(BytesMessage(data=data))
            await call.end()

        sending = asyncio.create_task(send())
        come = 0
        while (message := await call.receive(BytesMessage)) is not None:
            assert message.data == data
            come += len(message.data)
        await sending
        await call.finished()
        assert come == 8 * len(data) > 2 * STREAM_WINDOW


async def test_a_sender_waits_for_a_reader() -> None:
    sent = 0
    async with calling({"/s/hold": lambda call: asyncio.Event().wait()}) as (caller, _):  # type: ignore[dict-item,return-value]
        call = await caller.open("/s/hold")

        async def send() -> None:
            nonlocal sent
            while True:
                await call.send(BytesMessage(data=bytes(1 << 16)))
                sent += 1 << 16

        sending = asyncio.create_task(send())
        await asyncio.wait((sending,), timeout=0.3)
        assert not sending.done()
        assert sent <= STREAM_WINDOW
        await call.give_up()
        sending.cancel()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InvalidParameter("it is – wrong\n100%"), grpc.UNKNOWN, "it is – wrong\n100%"),
        (Unsupported("not here"), grpc.UNIMPLEMENTED, "not here"),
        (CommandFailed("m", "r", 3, "x", 7), grpc.UNKNOWN, 'process "x" did not complete successfully: exit code: 7'),
    ],
)
async def test_an_error_is_the_status(error: Exception, code: int, words: str) -> None:
    async def fail(call: ServedCall) -> None:
        raise error

    async with calling({"/s/fail": fail}) as (caller, _):
        with pytest.raises(Refused) as refused:
            await caller.ask("/s/fail", Empty(), Empty)
        assert (refused.value.status.code, refused.value.status.message) == (code, words)
        with pytest.raises(Refused, match="unknown method /s/other"):
            await caller.ask("/s/other", Empty(), Empty)


async def test_a_call_without_its_message_and_a_compressed_one_are_refused() -> None:
    async def read(call: ServedCall) -> None:
        await call.one(StatusRequest)

    async with calling({"/s/read": read}) as (caller, _):
        call = await caller.open("/s/read")
        await call.end()
        with pytest.raises(Refused, match="without its message"):
            await call.finished()
        call = await caller.open("/s/read")
        await call.stream.send(b"\1\0\0\0\1x")
        with pytest.raises(Refused, match="compressed"):
            await call.finished()


async def test_who_gives_a_call_up_ends_it() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work(call: ServedCall) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with calling({"/s/work": work}) as (caller, _):
        call = await caller.open("/s/work")
        await begun.wait()
        await call.give_up()
        await asyncio.wait_for(ended.wait(), 5)
        with pytest.raises(StreamLost):
            await call.send(Empty())


async def test_all_calls_end_with_the_connection() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work(call: ServedCall) -> None:
        begun.set()
        try:
            await call.receive(Empty)
        finally:
            ended.set()

    async with calling({"/s/work": work}) as (caller, wire):
        asking = asyncio.create_task(caller.ask("/s/work", BytesMessage(), Empty))
        await begun.wait()
        wire.cut()
        with pytest.raises(Unavailable, match="the client is gone"):
            await asking
        await asyncio.wait_for(ended.wait(), 5)
        with pytest.raises(Unavailable):
            await caller.ask("/s/work", Empty(), Empty)
