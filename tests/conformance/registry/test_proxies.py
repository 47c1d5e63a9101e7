"""Whatever asks servers outside goes by the daemon's proxies: registries, their token servers, downloads."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.conformance.registry.images import HOST, SampleImage, noise, pull, push
from tests.conformance.registry.proxy import WebProxy
from tests.conformance.registry.servers import (
    PASSWORD,
    USER,
    ScriptedRegistry,
    TokenServer,
    debian_registry,
    free_port,
    make_certificate,
    serving,
)
from zonehost.domain.proxies import Proxies
from zonehost.drivers.builds.fetch import download
from zonehost.drivers.downloads import HttpDownloads
from zonehost.drivers.registry.client import RegistryClient
from zonehost.drivers.registry.endpoints import RegistryPolicy
from zonehost.drivers.registry.manifests import digest_of
from zonehost.errors import Unavailable, Unsupported
from zonehost.ports.registry import Descriptor, Login, Repository
from zonehost.web import WebClient

NAME = "registry.test:5000"
WHERE = Repository(NAME, "team/app")
IMAGE = SampleImage((noise(1, 30_000), b"text " * 50_000))
needs_registry = pytest.mark.skipif(shutil.which("docker-registry") is None, reason="docker-registry is not installed")


@asynccontextmanager
async def client_by(proxies: Proxies, state: Path, *, insecure: bool = True) -> AsyncIterator[RegistryClient]:
    policy = RegistryPolicy((NAME,) if insecure else (), certificates=(str(state / "certs.d"),))
    client = RegistryClient(policy, HOST, str(state / "known"), WebClient("zonehost-test", proxies))
    try:
        yield client
    finally:
        await client.close()


@needs_registry
async def test_in_the_clear_with_a_password(tmp_path: Path) -> None:
    proxy = WebProxy(login="ada:secret words")
    async with debian_registry(tmp_path / "registry") as registry, proxy.serving() as address:
        proxy.hosts[NAME] = registry
        proxies = Proxies(http=f"http://ada:secret%20words@{address}/", https=f"ada:secret%20words@{address}")
        async with client_by(proxies, tmp_path) as client:
            await push(client, WHERE, "1", IMAGE)
            assert await pull(client, WHERE, "1") == IMAGE
    # It is tried with TLS first, which this registry does not speak.
    assert proxy.asked[0] == ("CONNECT", NAME)
    assert ("POST", NAME) in proxy.asked


@needs_registry
async def test_tls_passes_through(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    place = tmp_path / "certs.d" / NAME
    place.mkdir(parents=True)
    shutil.copy(certificate.authority, place / "ca.crt")
    proxy = WebProxy(login="ada:secret")
    async with debian_registry(tmp_path / "registry", tls=certificate) as registry, proxy.serving() as address:
        proxy.hosts[NAME] = registry
        async with client_by(Proxies(https=f"http://ada:secret@{address}"), tmp_path, insecure=False) as client:
            await push(client, WHERE, "1", IMAGE)
            assert await pull(client, WHERE, "1") == IMAGE
    assert set(proxy.asked) == {("CONNECT", NAME)}


@needs_registry
async def test_token_servers_too(tmp_path: Path) -> None:
    proxy = WebProxy()
    async with AsyncExitStack() as stack:
        tokens = await stack.enter_async_context(TokenServer(tmp_path).serving())
        proxy.hosts["tokens.test:80"] = tokens.url.removeprefix("http://").removesuffix("/token")
        tokens.url = "http://tokens.test/token"
        registry = debian_registry(tmp_path / "registry", tokens.registry_auth())
        proxy.hosts[NAME] = await stack.enter_async_context(registry)
        address = await stack.enter_async_context(proxy.serving())
        client = await stack.enter_async_context(client_by(Proxies(http=address, https=address), tmp_path))
        login = Login(username=USER, password=PASSWORD)
        await push(client, WHERE, "1", IMAGE, login)
    assert ("GET", "tokens.test:80") in proxy.asked


async def test_no_proxy_is_for_each_redirection(tmp_path: Path) -> None:
    """A registry behind the proxy may keep its blobs on a host that is reached without."""
    data = noise(2, 10_000)
    digest = digest_of(data)
    store = ScriptedRegistry(blobs={digest: data})

    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(f"http://{elsewhere}{request.path}")

    front = web.Application()
    front.router.add_get("/v2/{path:.+}", moved)
    proxy = WebProxy()
    async with serving(store.application()) as elsewhere, serving(front) as registry, proxy.serving() as address:
        proxy.hosts[NAME] = registry
        async with client_by(Proxies(http=address, https=address), tmp_path) as client:
            parts = [part async for part in client.blob(WHERE, Descriptor("layer", digest, len(data)))]
    assert b"".join(parts) == data
    assert {host for _, host in proxy.asked} == {NAME}


async def test_no_proxy_names_the_registry(tmp_path: Path) -> None:
    proxy = WebProxy()
    async with proxy.serving() as address:
        proxies = Proxies(http=address, https=address, direct=".test:5000")
        async with client_by(proxies, tmp_path) as client:
            with pytest.raises(Unavailable, match=r'"http://registry.test:5000/v2/": dial tcp: lookup registry.test'):
                await client.fetch(WHERE, "1")
    assert proxy.asked == []


async def test_a_proxy_that_wants_another_password(tmp_path: Path) -> None:
    async with WebProxy(login="ada:secret").serving() as address:
        proxies = Proxies(http=address, https=f"ada:wrong@{address}")
        async with client_by(proxies, tmp_path, insecure=False) as client:
            with pytest.raises(Unavailable, match=r'^Get "https://registry.test:5000/v2/": Proxy Authentication Req'):
                await client.fetch(WHERE, "1")
        async with client_by(proxies, tmp_path) as client:
            with pytest.raises(Unavailable, match="407 Proxy Authentication Required"):
                await client.fetch(WHERE, "1")


async def test_a_proxy_that_is_not_there(tmp_path: Path) -> None:
    port = free_port()
    async with client_by(Proxies(https=f"127.0.0.1:{port}"), tmp_path, insecure=False) as client:
        words = f'Get "https://registry.test:5000/v2/": proxyconnect tcp: dial tcp 127.0.0.1:{port}: connect: conn'
        with pytest.raises(Unavailable, match=words):
            await client.fetch(WHERE, "1")


@pytest.mark.parametrize("kind", ["socks5", "foo"])
async def test_another_kind_of_proxy_is_refused(tmp_path: Path, kind: str) -> None:
    async with client_by(Proxies(https=f"{kind}://ada:secret@proxy.test"), tmp_path) as client:
        with pytest.raises(Unsupported, match=f"proxy {kind}://xxxxx:xxxxx@proxy.test: a proxy is reached by http"):
            await client.fetch(WHERE, "1")


async def test_downloads_and_what_builds_add(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.host}{request.path}")

    app = web.Application()
    app.router.add_get("/file", answer)
    proxy = WebProxy()
    async with serving(app) as server, proxy.serving() as address:
        proxy.hosts["files.test:80"] = server
        client = WebClient("zonehost-test", Proxies(http=address))
        async with HttpDownloads(client).get("http://files.test/file") as found:
            assert b"".join([chunk async for chunk in found.chunks]) == b"files.test/file"
        await download("http://files.test/file", str(tmp_path / "added"), client)
    assert (tmp_path / "added").read_text() == "files.test/file"
    assert proxy.asked == [("GET", "files.test:80")] * 2
