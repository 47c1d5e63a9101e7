"""What a registry and its token server say when they refuse reaches the user, in the words of Docker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.conformance.registry.images import HOST
from tests.conformance.registry.servers import serving
from zonehost.drivers.registry.client import RegistryClient
from zonehost.drivers.registry.endpoints import RegistryPolicy
from zonehost.errors import Forbidden, NotFound, Unauthorized, Unavailable, ZonehostError
from zonehost.ports.registry import Login, Repository
from zonehost.web import WebClient

LOGIN = Login(username="ada", password="wrong")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RegistryClient]:
    found = RegistryClient(RegistryPolicy(certificates=()), HOST, str(tmp_path / "known"), WebClient("zonehost-test"))
    yield found
    await found.close()


class Guard:
    """A registry that nobody may enter, and what it demands."""

    def __init__(self, demand: str) -> None:
        self.demand = demand

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v2/{rest:.*}", self._refuse)
        return app

    async def _refuse(self, request: web.Request) -> web.Response:
        return web.Response(status=401, headers={"WWW-Authenticate": self.demand})


def token_server(status: int, body: str) -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    app = web.Application()
    app.router.add_get("/", answer)
    return app


@pytest.mark.parametrize(
    ("status", "body", "by", "words"),
    [
        (401, '{"errors": [{"code": "UNAUTHORIZED", "message": "not you"}]}', Unauthorized, "unauthorized: not you"),
        (401, '{"errors": [{"Code": "UNAUTHORIZED", "message": "not you"}]}', Unauthorized, "unauthorized: not you"),
        (401, '{"details": "incorrect password"}', Unauthorized, "unauthorized: incorrect password"),
        (401, "no way", Unauthorized, "unauthorized: authentication required"),
        (403, '{"errors": [{"code": "DENIED", "message": "not here"}]}', Forbidden, "denied: not here"),
        (
            429,
            '{"errors": [{"code": "TOOMANYREQUESTS", "message": "out of tokens"}]}',
            Unavailable,
            "toomanyrequests: out of tokens",
        ),
        (200, "{}", Unauthorized, "authorization server did not include a token in the response"),
    ],
)
async def test_a_token_server_has_the_last_word(
    client: RegistryClient, status: int, body: str, by: type[ZonehostError], words: str
) -> None:
    async with serving(token_server(status, body)) as tokens:
        guard = Guard(f'Bearer realm="http://{tokens}/",service="x"')
        async with serving(guard.application()) as address:
            with pytest.raises(by) as refused:
                await client.fetch(Repository(address, "app"), "1", LOGIN)
    assert str(refused.value) == words


async def test_a_registry_may_change_its_token_server(client: RegistryClient) -> None:
    guard = Guard('Bearer realm="http://127.0.0.1:1/",service="x"')
    async with serving(guard.application()) as address:
        where = Repository(address, "app")
        with pytest.raises(Unavailable, match=r"http://127.0.0.1:1/"):
            await client.fetch(where, "1", LOGIN)
        body = json.dumps({"errors": [{"code": "DENIED", "message": "by the new one"}]})
        async with serving(token_server(403, body)) as tokens:
            guard.demand = f'Bearer realm="http://{tokens}/",service="x"'
            found = await asyncio.gather(*(client.fetch(where, "1", LOGIN) for _ in range(4)), return_exceptions=True)
        assert [(type(one), str(one)) for one in found] == [(Forbidden, "denied: by the new one")] * 4


async def test_passwords(client: RegistryClient) -> None:
    async with serving(Guard('Basic realm="x"').application()) as address:
        where = Repository(address, "app")
        for _ in range(2):
            with pytest.raises(Unauthorized, match=r"^no basic auth credentials$"):
                await client.fetch(where, "1")
        with pytest.raises(Unauthorized, match=r"^unauthorized: authentication required$"):
            await client.fetch(where, "1", LOGIN)
        failed = f"login attempt to http://{address}/v2/ failed with status: 401 Unauthorized"
        with pytest.raises(Unauthorized) as refused:
            await client.check_login(Login(username="ada", password="wrong", serveraddress=address))
        assert str(refused.value) == failed


async def test_what_is_not_there_is_named_as_it_was_asked_for(client: RegistryClient) -> None:
    async with serving(web.Application()) as address:
        digest = "sha256:" + "f" * 64
        for reference, name in (("1", f"{address}/app:1"), (digest, f"{address}/app@{digest}")):
            with pytest.raises(NotFound, match=f"^manifest for {name} not found: "):
                await client.fetch(Repository(address, "app"), reference)
