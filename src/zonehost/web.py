"""The daemon as a client of web servers: sessions without cookies that go by the daemon's proxies.

Owns which addresses can be asked, how long an answer may take, and which proxy is gone by. Knows nothing of what is
asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import aiohttp
from yarl import URL

from zonehost.domain.proxies import Proxies, masked
from zonehost.errors import InvalidParameter, Unsupported

_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
_SCHEMES: Final = ("http", "https")


@dataclass(frozen=True, slots=True)
class WebClient:
    """`agent` is who asks, in the words of a User-Agent."""

    agent: str
    proxies: Proxies = field(default_factory=Proxies)

    def session(self, *, buffer: int = 64 << 10) -> aiohttp.ClientSession:
        """A session whose bodies come as they are sent; `buffer` is how many bytes of one may wait to be read.

        Its requests raise Unsupported where the proxy is of another kind than http and https.
        """
        return aiohttp.ClientSession(
            headers={"User-Agent": self.agent},
            timeout=_TIMEOUT,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=buffer,
            middlewares=(self._choose_proxy,),
        )

    async def _choose_proxy(
        self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Called for each request, those to where a server redirects too."""
        url = request.url
        if proxy := self.proxies.choose(url.scheme, url.host or "", url.port):
            request.update_proxy(_proxy(proxy), None, None)
        return await send(request)


def address(url: str) -> URL:
    """The parts of an address that can be asked. Raises InvalidParameter."""
    try:
        found = URL(url)
    except ValueError as error:
        raise InvalidParameter(f"invalid URL {url}: {error}") from error
    if found.scheme not in _SCHEMES or not found.host:
        raise InvalidParameter(f'Get "{url}": unsupported protocol scheme "{found.scheme}"')
    return found


def _proxy(text: str) -> URL:
    """A name and a password in it become its Proxy-Authorization (RFC 9110, 11.7.2)."""
    try:
        found = URL(text)
    except ValueError as error:
        raise InvalidParameter(f"invalid proxy address {masked(text)}: {error}") from error
    if found.scheme not in _SCHEMES or not found.host:
        raise Unsupported(f"proxy {masked(text)}: a proxy is reached by http or https")
    return found
