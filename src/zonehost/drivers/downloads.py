"""Files from http and https servers; see `ports.downloads`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from zonehost.errors import Forbidden, InvalidParameter, NotFound, Unauthorized, Unavailable, ZonehostError
from zonehost.ports.downloads import Download
from zonehost.web import WebClient, address

_CHUNK: Final = 256 << 10
_LARGEST_ERROR: Final = 4 << 10
_ERRORS: Final[dict[int, type[ZonehostError]]] = {
    400: InvalidParameter,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
}


class HttpDownloads:
    """By the daemon's web client."""

    def __init__(self, web: WebClient) -> None:
        self._web = web

    @asynccontextmanager
    async def get(self, url: str) -> AsyncIterator[Download]:
        """As `Downloads.get`."""
        asked = address(url)
        async with self._web.session() as session:
            try:
                response = await session.get(asked, headers={"Accept-Encoding": "identity"})
            except (aiohttp.ClientError, TimeoutError) as error:
                raise Unavailable(f'Get "{url}": {error}') from error
            if response.status >= 400:
                raise await _refusal(url, response)
            yield Download(response.content_length or 0, _chunks(url, response))


async def _refusal(url: str, response: aiohttp.ClientResponse) -> ZonehostError:
    """What the server says, in the words of Docker's engine (remotecontext.GetWithStatusError)."""
    try:
        said = (await response.content.read(_LARGEST_ERROR)).decode(errors="replace").strip()
    except (aiohttp.ClientError, TimeoutError) as error:
        said = str(error)
    words = f"failed to GET {url} with status {response.status} {response.reason}: {said}"
    return _ERRORS.get(response.status, Unavailable)(words)


async def _chunks(url: str, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_chunked(_CHUNK):
            yield chunk
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"error downloading {url}: {error}") from error
