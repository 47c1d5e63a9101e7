"""A client and a process, joined: what the client sends becomes input, output goes to the client.

Owns when a session ends; knows neither HTTP nor what runs the process.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from zonehost.api.detach import DetachKeys
from zonehost.api.framing import multiplexed, raw
from zonehost.ports.streams import Stream


class Client(Protocol):
    """Someone at the other end of a connection."""

    async def receive(self) -> bytes:
        """What the client has sent; empty when it has ended its side."""

    async def send(self, data: bytes) -> None:
        """Send, waiting while the client is slow. Raises ConnectionError when it has gone."""

    async def gone(self) -> None:
        """Return when the client is gone, for both directions."""


class Process(Protocol):
    """The streams of something that runs."""

    async def read(self) -> list[tuple[Stream, bytes]]:
        """Chunks of output; empty when it has ended."""

    async def write(self, data: bytes) -> None:
        """Write input."""

    async def close_input(self) -> None:
        """End the input."""


async def join(
    client: Client, process: Process, *, framed: bool, keys: DetachKeys | None, stdin: bool, stays: bool = True
) -> bool:
    """Carry bytes until the output ends, the client is gone, or the keys are pressed; whether they were.

    A client that `stays` ends the process's input with its own, and goes on reading; else that is how it leaves.
    """
    output = asyncio.create_task(_outward(client, process, framed=framed))
    gone = asyncio.create_task(client.gone())
    input_ = asyncio.create_task(_inward(client, process, keys, stays=stays) if stdin else _drop(client))
    tasks = {output, gone, input_}
    waited = set(tasks)
    try:
        while not (output.done() or gone.done()):
            done, waited = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if input_.done() and _leaves(keys, stdin=stdin, stays=stays):
                break
        return keys is not None and keys.pressed
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _outward(client: Client, process: Process, *, framed: bool) -> None:
    form = multiplexed if framed else raw
    while batch := await process.read():
        try:
            await client.send(form(batch))
        except ConnectionError:
            return


def _leaves(keys: DetachKeys | None, *, stdin: bool, stays: bool) -> bool:
    """Whether the end of a client's input ends its session."""
    return (keys is not None and keys.pressed) or (stdin and not stays)


async def _inward(client: Client, process: Process, keys: DetachKeys | None, *, stays: bool) -> None:
    while data := await client.receive():
        if keys is not None:
            data = keys.feed(data)
        if data:
            await process.write(data)
        if keys is not None and keys.pressed:
            return
    if stays:
        await process.close_input()


async def _drop(client: Client) -> None:
    while await client.receive():
        pass
