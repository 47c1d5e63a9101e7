"""Answers that come bit by bit, as long as there is something to say and the client is there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import TypeVar

from aiohttp import web

from zonehost.api import answers

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
        async for item in items:
            await response.write(form(item))
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()
    return response


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
