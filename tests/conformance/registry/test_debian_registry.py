"""The registry port against Debian's docker-registry: in the clear, with TLS, with passwords, with tokens."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.registry.images import SampleImage, gzipped, new_client, noise, pull, push
from tests.conformance.registry.servers import (
    PASSWORD,
    USER,
    TokenServer,
    basic_auth,
    cutting_proxy,
    debian_registry,
    make_certificate,
)
from zonehost.drivers.registry.client import RegistryClient
from zonehost.errors import NotFound, Unauthorized, Unavailable
from zonehost.ports.registry import Login, Repository

pytestmark = pytest.mark.skipif(shutil.which("docker-registry") is None, reason="docker-registry is not installed")

ADA = Login(username=USER, password=PASSWORD)
IMAGE = SampleImage((noise(1, 30_000), b"text " * 50_000))


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RegistryClient]:
    found = new_client(tmp_path / "state")
    yield found
    await found.close()


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[str]:
    async with debian_registry(tmp_path / "registry") as address:
        yield address


async def test_an_image_comes_back_as_it_went(client: RegistryClient, plain: str) -> None:
    where = Repository(plain, "team/app")
    sent, manifest = await push(client, where, "1.0", IMAGE)
    assert [layer.how for layer in sent] == ["sent", "sent"]
    assert await pull(client, where, "1.0") == IMAGE
    assert await pull(client, where, manifest.digest) == IMAGE
    found = await client.fetch(where, "1.0")
    assert found.digest == manifest.digest
    assert found.diff_ids == IMAGE.diff_ids
    distribution = await client.inspect(where, "1.0")
    assert distribution.descriptor == manifest
    assert [str(platform) for platform in distribution.platforms] == ["linux/amd64"]


async def test_what_is_there_is_not_sent_again(client: RegistryClient, plain: str, tmp_path: Path) -> None:
    where = Repository(plain, "team/app")
    await push(client, where, "1", IMAGE)
    changed = SampleImage((IMAGE.layers[0], noise(2, 10_000)))
    sent, _ = await push(client, where, "2", changed)
    assert [layer.how for layer in sent] == ["exists", "sent"]
    sister = Repository(plain, "other/app")
    sent, _ = await push(client, sister, "2", changed)
    assert [(layer.how, layer.origin) for layer in sent] == [("mounted", "team/app")] * 2
    later = new_client(tmp_path / "state")
    sent, _ = await push(later, sister, "3", changed)
    assert [layer.how for layer in sent] == ["exists", "exists"]
    await later.close()


async def test_a_layer_of_many_chunks(client: RegistryClient, plain: str) -> None:
    large = SampleImage((noise(3, 20 << 20),))
    where = Repository(plain, "large")
    await push(client, where, "1", large)
    assert (await pull(client, where, "1")).diff_ids == large.diff_ids


async def test_a_cut_upload_ends_whole(client: RegistryClient, plain: str) -> None:
    large = SampleImage((noise(4, 20 << 20),))
    # The first connection fails over from TLS to clear text; the second one carries the upload.
    async with cutting_proxy(plain, [1 << 20, 11 << 20]) as address:
        sent, _ = await push(client, Repository(address, "large"), "1", large)
    assert [layer.how for layer in sent] == ["sent"]
    assert (await pull(client, Repository(plain, "large"), "1")).diff_ids == large.diff_ids


async def test_tags(client: RegistryClient, plain: str) -> None:
    where = Repository(plain, "many")
    for tag in ("b", "c", "a"):
        await push(client, where, tag, IMAGE)
    assert await client.tags(where) == ("a", "b", "c")


async def test_what_is_not_there(client: RegistryClient, plain: str) -> None:
    await push(client, Repository(plain, "some"), "1", IMAGE)
    with pytest.raises(NotFound, match=r"manifest for .*/some:2 not found: manifest unknown"):
        await client.fetch(Repository(plain, "some"), "2")
    with pytest.raises(NotFound):
        await client.tags(Repository(plain, "none"))


async def test_skopeo_reads_what_was_pushed(client: RegistryClient, plain: str) -> None:
    sent, _ = await push(client, Repository(plain, "app"), "1", IMAGE)
    inspect = ["skopeo", "inspect", "--tls-verify=false", f"docker://{plain}/app:1"]
    process = await asyncio.create_subprocess_exec(*inspect, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    assert all(f'"{layer.descriptor.digest}"' in output.decode() for layer in sent)


async def test_tls_needs_its_authority(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    async with debian_registry(tmp_path / "registry", tls=certificate) as address:
        place = tmp_path / "state/certs.d" / address
        place.mkdir(parents=True)
        shutil.copy(certificate.authority, place / "ca.crt")
        trusting = new_client(tmp_path / "state")
        await push(trusting, Repository(address, "app"), "1", IMAGE)
        assert await pull(trusting, Repository(address, "app"), "1") == IMAGE
        await trusting.close()
        (tmp_path / "other").mkdir()
        shutil.copy(make_certificate(tmp_path / "other").authority, place / "ca.crt")
        distrusting = new_client(tmp_path / "state")
        with pytest.raises(Unavailable, match="certificate"):
            await distrusting.fetch(Repository(address, "app"), "1")
        await distrusting.close()


async def test_passwords(client: RegistryClient, tmp_path: Path) -> None:
    async with debian_registry(tmp_path / "registry", auth=basic_auth(tmp_path)) as address:
        where = Repository(address, "app")
        with pytest.raises(Unauthorized):
            await push(client, where, "1", IMAGE)
        await push(client, where, "1", IMAGE, ADA)
        assert await pull(client, where, "1", Login(auth="YWRhOnNlY3JldA==")) == IMAGE
        with pytest.raises(Unauthorized):
            await client.fetch(where, "1", Login(username=USER, password="wrong"))
        assert await client.check_login(Login(username=USER, password=PASSWORD, serveraddress=address)) == ""
        with pytest.raises(Unauthorized):
            await client.check_login(Login(username=USER, password="wrong", serveraddress=f"http://{address}"))


async def test_tokens(client: RegistryClient, tmp_path: Path) -> None:
    async with (
        TokenServer(tmp_path).serving() as tokens,
        debian_registry(tmp_path / "registry", auth=tokens.registry_auth()) as address,
    ):
        private, public = Repository(address, "private/app"), Repository(address, "public/app")
        await push(client, private, "1", IMAGE, ADA)
        sent, _ = await push(client, public, "1", IMAGE, ADA)
        assert [layer.how for layer in sent] == ["mounted", "mounted"]
        count = len(tokens.asked)
        assert await pull(client, public, "1") == IMAGE
        assert len(tokens.asked) == count + 1
        assert tokens.asked[-1]["scope"] == ["repository:public/app:pull"]
        with pytest.raises(Unauthorized):
            await client.fetch(private, "1")
        with pytest.raises(Unauthorized):
            await client.fetch(private, "1", Login(username=USER, password="wrong"))
        identity = await client.check_login(Login(username=USER, password=PASSWORD, serveraddress=address))
        assert identity == "refresh me"
        assert await pull(client, private, "1", Login(identitytoken=identity)) == IMAGE


async def test_nobody_listens(client: RegistryClient) -> None:
    with pytest.raises(Unavailable) as failed:
        await client.fetch(Repository("127.0.0.1:1", "app"), "1")
    assert str(failed.value).endswith('"http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused')


async def test_nobody_has_the_name(client: RegistryClient) -> None:
    with pytest.raises(Unavailable, match=r'"https://registry\.invalid/v2/": dial tcp: lookup registry\.invalid: '):
        await client.fetch(Repository("registry.invalid", "app"), "1")


async def test_a_source_that_fails_leaves_no_layer(client: RegistryClient, plain: str) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"part"
        raise OSError("gone")

    where = Repository(plain, "app")
    with pytest.raises(OSError, match="gone"):
        await client.send_layer(where, IMAGE.diff_ids[0], broken)
    sent = await client.send_layer(where, IMAGE.diff_ids[0], gzipped(IMAGE.layers[0]))
    assert sent.how == "sent"
