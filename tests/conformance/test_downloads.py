"""The obligations of `ports.downloads`, against a server on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from zonehost.drivers.downloads import HttpDownloads
from zonehost.errors import Forbidden, InvalidParameter, NotFound, Unauthorized, Unavailable, ZonehostError
from zonehost.web import WebClient

_BODY = bytes(range(256)) * 4096


@asynccontextmanager
async def _served() -> AsyncIterator[str]:
    """A server that gives a file, whole or cut off, and else the status that the path names."""

    async def answer(request: web.Request) -> web.StreamResponse:
        match request.path.strip("/"):
            case "file":
                return web.Response(body=_BODY)
            case "moved":
                raise web.HTTPFound("/file")
            case "cut":
                response = web.StreamResponse(headers={"Content-Length": str(len(_BODY))})
                await response.prepare(request)
                await response.write(_BODY[:1000])
                assert request.transport is not None
                request.transport.abort()
                return response
            case status:
                return web.Response(status=int(status), text="said so\n")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("path", ["file", "moved"])
async def test_a_file_comes_whole(path: str) -> None:
    async with _served() as server, HttpDownloads(WebClient("test")).get(f"{server}/{path}") as download:
        assert download.size == len(_BODY)
        assert b"".join([chunk async for chunk in download.chunks]) == _BODY


async def test_what_is_cut_off_is_no_whole_file() -> None:
    async with _served() as server, HttpDownloads(WebClient("test")).get(f"{server}/cut") as download:
        with pytest.raises(Unavailable, match="error downloading"):
            async for _ in download.chunks:
                pass


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, InvalidParameter), (401, Unauthorized), (403, Forbidden), (404, NotFound), (500, Unavailable)],
)
async def test_a_refusal_is_told_in_the_servers_words(status: int, error: type[ZonehostError]) -> None:
    async with _served() as server:
        with pytest.raises(error, match=f"failed to GET {server}/{status} with status {status} .*: said so$"):
            async with HttpDownloads(WebClient("test")).get(f"{server}/{status}"):
                pass


async def test_a_server_that_is_not_there() -> None:
    async with _served() as server:
        pass
    with pytest.raises(Unavailable, match=f'Get "{server}/file": '):
        async with HttpDownloads(WebClient("test")).get(f"{server}/file"):
            pass


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/file", "http://", "http://[::1", "file:///etc/passwd"])
async def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InvalidParameter):
        async with HttpDownloads(WebClient("test")).get(url):
            pass
