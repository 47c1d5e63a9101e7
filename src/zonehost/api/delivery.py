"""Answers that come bit by bit, as long as there is something to say and the client is there."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import TypeVar

from aiohttp import web

from zonehost.api import answers
from zonehost.linux.leaving import Leaving
from zonehost.linux.pouring import pour

T = TypeVar("T")


async def deliver(
    request: web.BaseRequest,
    content_type: str,
    items: AsyncIterator[T],
    form: Callable[[T], bytes],
    headers: Mapping[str, str] | None = None,
    *,
    prompt: bool = True,
) -> web.StreamResponse:
    """Send the head, then each item as it comes. The iterator is closed at the end, whatever the end is.

    A `prompt` head is sent at once; else it waits for the first item, and what goes wrong before that is an error of
    the whole request.
    """
    try:
        first: list[T] = []
        if not prompt:
            async for item in items:
                first.append(item)
                break
        response = await answers.stream(request, content_type, headers)
        for item in first:
            await response.write(form(item))
        if first and isinstance(items, Leaving):
            await _pour(request, response, items)
        async for item in items:
            await response.write(form(item))
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()
    return response


async def _pour(request: web.BaseRequest, response: web.StreamResponse, items: Leaving) -> None:
    """Let the bytes go from their pipe to the connection, where nothing is done to them on the way."""
    transport = request.transport
    if transport is None or transport.get_extra_info("sslcontext") or not response.headers.get("Transfer-Encoding"):
        return
    pipe = items.take()
    if pipe is None:
        return
    try:
        transport.set_write_buffer_limits(high=0)
        await request.writer.drain()
        transport.set_write_buffer_limits()
        await pour(pipe, transport.get_extra_info("socket").fileno())
    finally:
        os.close(pipe)


async def deliver_bytes(
    request: web.BaseRequest,
    content_type: str,
    chunks: AsyncIterator[bytes],
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Send bytes as they come, once the first of them are there."""
    return await deliver(request, content_type, chunks, bytes, headers, prompt=False)


def json_line(value: object) -> bytes:
    """One of several JSON values in a body."""
    return answers.encode(value) + b"\n"
