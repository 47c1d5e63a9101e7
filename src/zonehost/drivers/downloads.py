"""Files from http and https servers; see `ports.downloads`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from yarl import URL

from zonehost.errors import Forbidden, InvalidParameter, NotFound, Unauthorized, Unavailable, ZonehostError
from zonehost.ports.downloads import Download

_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
_CHUNK: Final = 256 << 10
_LARGEST_ERROR: Final = 4 << 10
_ERRORS: Final[dict[int, type[ZonehostError]]] = {
    400: InvalidParameter,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
}


class HttpDownloads:
    """One client, without cookies, that goes by the proxies of the daemon's environment."""

    def __init__(self, agent: str) -> None:
        self._headers = {"User-Agent": agent, "Accept-Encoding": "identity"}

    @asynccontextmanager
    async def get(self, url: str) -> AsyncIterator[Download]:
        """As `Downloads.get`."""
        address = _address(url)
        session = aiohttp.ClientSession(
            timeout=_TIMEOUT,
            headers=self._headers,
            auto_decompress=False,
            trust_env=True,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        async with session:
            try:
                response = await session.get(address)
            except (aiohttp.ClientError, TimeoutError) as error:
                raise Unavailable(f'Get "{url}": {error}') from error
            if response.status >= 400:
                raise await _refusal(url, response)
            yield Download(response.content_length or 0, _chunks(url, response))


def _address(url: str) -> URL:
    try:
        address = URL(url)
    except ValueError as error:
        raise InvalidParameter(f"invalid URL {url}: {error}") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise InvalidParameter(f'Get "{url}": unsupported protocol scheme "{address.scheme}"')
    return address


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
