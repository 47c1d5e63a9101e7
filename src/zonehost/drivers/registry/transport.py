"""Requests to a registry: the right address, credentials on demand, errors as ours. Knows no blobs or manifests."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from zonehost.drivers.registry.challenge import Challenge, read_challenges
from zonehost.drivers.registry.refusals import refusal
from zonehost.drivers.registry.tokens import Tokens
from zonehost.drivers.registry.trust import tls_context
from zonehost.errors import InvalidParameter, Unauthorized, Unavailable, ZonehostError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from zonehost.drivers.registry.endpoints import Endpoint, RegistryPolicy
    from zonehost.ports.registry import Login, Repository
    from zonehost.web import WebClient

_LARGEST_ERROR = 64 << 10


@dataclass(frozen=True, slots=True)
class Access:
    """On whose behalf, and to do what, a registry is asked."""

    repository: Repository
    actions: str = "pull"
    login: Login | None = None
    also: tuple[Repository, ...] = ()
    """Further repositories to read: where a blob may be mounted from."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """What to ask a token server for."""
        own = f"repository:{self.repository.path}:{self.actions}"
        return (own, *(f"repository:{other.path}:pull" for other in self.also))


class Transport:
    """One HTTP client for all registries."""

    def __init__(self, policy: RegistryPolicy, web: WebClient) -> None:
        self._policy = policy
        self._web = web
        self._session: aiohttp.ClientSession | None = None
        self._tokens: Tokens | None = None
        self._tls: dict[Endpoint, ssl.SSLContext | None] = {}
        self._challenges: dict[Endpoint, list[Challenge]] = {}
        self._working: dict[tuple[str, bool], Endpoint] = {}

    async def close(self) -> None:
        """Let all connections go. Idempotent."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @contextlib.asynccontextmanager
    async def request(
        self, access: Access, method: str, path: str, *, accept: tuple[int, ...] = (200,), **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request to the repository's host and give the answer, whose status is one of `accept`.

        `path` is below `/v2/`, or from the root if it starts with a slash, or an address that the registry gave.
        """
        async with contextlib.AsyncExitStack() as stack:
            yield await self._first_answer(stack, access, method, path, accept, options)

    async def _first_answer(
        self,
        stack: contextlib.AsyncExitStack,
        access: Access,
        method: str,
        path: str,
        accept: tuple[int, ...],
        options: dict[str, Any],
    ) -> aiohttp.ClientResponse:
        pull = access.actions == "pull"
        host = access.repository.host
        remembered = self._working.get((host, pull))
        endpoints = (remembered,) if remembered else self._policy.endpoints(host, pull=pull)
        failure: ZonehostError | None = None
        for endpoint in endpoints:
            try:
                response = await self._authorized(stack, endpoint, access, method, path, options)
                if response.status not in accept:
                    raise await _error(response)
            except aiohttp.ClientConnectorCertificateError as error:
                # Whoever shows another certificate than the installed authority's is not asked again in the clear.
                raise Unavailable(f'{method.capitalize()} "{endpoint.url}/v2/": {error}') from error
            except (aiohttp.ClientConnectionError, aiohttp.ClientHttpProxyError) as error:
                failure = Unavailable(f'{method.capitalize()} "{endpoint.url}/v2/": {_why_not_connected(error)}')
                self._working.pop((host, pull), None)
            except ZonehostError as error:
                # What a mirror refuses, the registry itself may have.
                if not endpoint.mirror:
                    raise
                failure = error
            else:
                if not endpoint.mirror:
                    self._working[host, pull] = endpoint
                return response
        raise failure or Unavailable(f"no address for registry {host}")

    async def _authorized(
        self,
        stack: contextlib.AsyncExitStack,
        endpoint: Endpoint,
        access: Access,
        method: str,
        path: str,
        options: dict[str, Any],
    ) -> aiohttp.ClientResponse:
        remembered = self._challenges.get(endpoint)
        try:
            response = await self._send(stack, endpoint, access, method, path, options)
        except Unavailable:
            if remembered is None:
                raise
            # It may have another token server by now, which another request may have found out.
            if self._challenges.get(endpoint) is remembered:
                del self._challenges[endpoint]
            response = await self._send(stack, endpoint, access, method, path, options)
        if response.status != 401:
            return response
        challenges = read_challenges(response.headers.getall("WWW-Authenticate", []))
        self._challenges[endpoint] = challenges
        if access.login is None and challenges and all(challenge.scheme == "basic" for challenge in challenges):
            raise Unauthorized("no basic auth credentials")
        response.release()
        return await self._send(stack, endpoint, access, method, path, options)

    async def _send(
        self,
        stack: contextlib.AsyncExitStack,
        endpoint: Endpoint,
        access: Access,
        method: str,
        path: str,
        options: dict[str, Any],
    ) -> aiohttp.ClientResponse:
        session, tokens = self._open()
        tls = self._context(endpoint)
        headers = dict(options.get("headers", {}))
        url = path if "://" in path else f"{endpoint.url}{path if path.startswith('/') else f'/v2/{path}'}"
        challenges = self._challenges.get(endpoint)
        # An address that the registry gave may lie elsewhere; credentials never go there.
        if challenges is not None and URL(url).origin() == URL(endpoint.url).origin():
            authorization = await tokens.authorize(challenges, access.scopes, access.login, tls)
            if authorization is not None:
                headers["Authorization"] = authorization
        secure: ssl.SSLContext | bool = True if tls is None else tls
        request = session.request(method, url, **{**options, "headers": headers, "ssl": secure})
        return await stack.enter_async_context(request)

    async def check_login(self, access: Access) -> str:
        """Whether the registry takes the login; an identity token if it gives one. Raises Unauthorized."""
        async with self.request(access, "GET", "", accept=(200, 401, 404)) as response:
            reached = response.url
            if response.status == 401:
                raise Unauthorized(f"login attempt to {reached} failed with status: 401 Unauthorized")
        login = access.login
        endpoint = self._working[access.repository.host, True]
        if login is None or endpoint not in self._challenges:
            return ""
        _, tokens = self._open()
        tls = None if reached.scheme == "http" else self._context(endpoint)
        return await tokens.identity(self._challenges[endpoint], login, tls)

    def _open(self) -> tuple[aiohttp.ClientSession, Tokens]:
        if self._session is None or self._tokens is None:
            self._session = self._web.session(buffer=256 << 10)
            self._tokens = Tokens(self._session)
        return self._session, self._tokens

    def _context(self, endpoint: Endpoint) -> ssl.SSLContext | None:
        if endpoint.plain:
            return None
        if endpoint not in self._tls:
            self._tls[endpoint] = tls_context(endpoint, self._policy.certificates)
        return self._tls[endpoint]


async def read_bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The whole body. Raises InvalidParameter if it is longer than `limit` bytes, Unavailable if it breaks off."""
    parts: list[bytes] = []
    total = 0
    try:
        async for part in response.content.iter_any():
            total += len(part)
            if total > limit:
                raise InvalidParameter(f"the registry's answer is larger than {limit} bytes: {response.url}")
            parts.append(part)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"the registry's answer broke off: {response.url}: {error}") from error
    return b"".join(parts)


def _why_not_connected(error: aiohttp.ClientError) -> str:
    """In the words of Go's net packages, which users of Docker know."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return error.message
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        unknown = error.os_error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
        why = "no such host" if unknown else (error.os_error.strerror or str(error.os_error)).lower()
        return f"dial tcp: lookup {error.host}: {why}"
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        who = "proxyconnect tcp: " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
        return f"{who}dial tcp {error.host}:{error.port}: connect: {os.strerror(error.os_error.errno).lower()}"
    return str(error)


async def _error(response: aiohttp.ClientResponse) -> ZonehostError:
    """The registry's refusal as one of ours, in the registry's words."""
    body = (await read_bounded(response, _LARGEST_ERROR)) if response.method != "HEAD" else b""
    return refusal(response, body)
