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
) -> web.StreamResponse:
    """Send the head now, then each item as it comes. The iterator is closed at the end, whatever the end is."""
    try:
        response = await answers.stream(request, content_type, headers)
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
    """Send bytes as they come."""
    return await deliver(request, content_type, chunks, bytes, headers)


def json_line(value: object) -> bytes:
    """One of several JSON values in a body."""
    return answers.encode(value) + b"\n"
