"""The registry port against a registry that cuts, lies, or serves what is no image."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.conformance.registry.images import HOST, gzipped, noise
from tests.conformance.registry.servers import ScriptedRegistry, serving
from zonehost.domain.platform import Platform
from zonehost.drivers.registry.client import RegistryClient
from zonehost.drivers.registry.downloads import download
from zonehost.drivers.registry.endpoints import RegistryPolicy
from zonehost.drivers.registry.manifests import (
    DOCKER_GZIP_LAYER,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    digest_of,
)
from zonehost.drivers.registry.transport import Access, Transport
from zonehost.errors import Forbidden, InvalidParameter, NotFound, Unavailable, Unsupported
from zonehost.ports.registry import Descriptor, Login, Repository
from zonehost.web import WebClient

BLOB = noise(7, 1_000_000)
LAYER = Descriptor(DOCKER_GZIP_LAYER, digest_of(BLOB), len(BLOB))


@pytest.fixture
def registry() -> ScriptedRegistry:
    return ScriptedRegistry(blobs={LAYER.digest: BLOB})


@pytest.fixture
async def address(registry: ScriptedRegistry) -> AsyncIterator[str]:
    async with serving(registry.application()) as found:
        yield found


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    found = Transport(RegistryPolicy(certificates=()), WebClient("zonehost-test"))
    yield found
    await found.close()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RegistryClient]:
    found = RegistryClient(RegistryPolicy(certificates=()), HOST, str(tmp_path / "known"), WebClient("zonehost-test"))
    yield found
    await found.close()


async def read(transport: Transport, address: str, blob: Descriptor = LAYER) -> bytes:
    access = Access(Repository(address, "app"))
    return b"".join([part async for part in download(transport, access, blob, pause=0.001)])


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_cut_download_goes_on_where_it_broke(
    registry: ScriptedRegistry, address: str, transport: Transport, ranges: bool
) -> None:
    registry.cuts = [300_000, 0, 400_000]
    registry.ranges = ranges
    assert await read(transport, address) == BLOB
    asked = [ask for _, _, ask in registry.requests]
    assert asked[0] == ""
    assert len(asked) == 4
    if ranges:
        assert int(asked[-1].removeprefix("bytes=").rstrip("-")) > 500_000


async def test_gives_up_without_progress(registry: ScriptedRegistry, address: str, transport: Transport) -> None:
    registry.cuts = [1000] + [0] * 20
    with pytest.raises(Unavailable, match="broke off after 1000 of 1000000 bytes"):
        await read(transport, address)


async def test_a_wrong_digest_withholds_the_end(registry: ScriptedRegistry, address: str, transport: Transport) -> None:
    registry.blobs[LAYER.digest] = BLOB[:-1] + bytes([BLOB[-1] ^ 1])
    received = bytearray()
    with pytest.raises(InvalidParameter, match="verification failed"):
        async for part in download(transport, Access(Repository(address, "app")), LAYER):
            received += part
    assert len(received) < len(BLOB)


async def test_a_blob_longer_than_promised(address: str, transport: Transport) -> None:
    with pytest.raises(InvalidParameter, match="larger than the 999999 bytes"):
        await read(transport, address, Descriptor(LAYER.media_type, LAYER.digest, len(BLOB) - 1))


async def test_a_blob_shorter_than_promised(address: str, transport: Transport) -> None:
    with pytest.raises((Unavailable, InvalidParameter)):
        await read(transport, address, Descriptor(LAYER.media_type, LAYER.digest, len(BLOB) + 1))


def config_of(platform: Platform, *diff_ids: str) -> bytes:
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    return json.dumps({"os": platform.os, "architecture": platform.architecture, "rootfs": rootfs}).encode()


def manifest_of(config: bytes, *layers: Descriptor, kind: str = OCI_MANIFEST) -> bytes:
    def described(media_type: str, digest: str, size: int) -> dict[str, object]:
        return {"mediaType": media_type, "digest": digest, "size": size}

    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": described(OCI_CONFIG, digest_of(config), len(config)),
            "layers": [described(layer.media_type, layer.digest, layer.size) for layer in layers],
        }
    ).encode()


def publish(registry: ScriptedRegistry, reference: str, data: bytes, kind: str = OCI_MANIFEST) -> None:
    registry.manifests[reference] = registry.manifests[digest_of(data)] = (kind, data)


def publish_index(registry: ScriptedRegistry, *platforms: Platform) -> None:
    entries = []
    for platform in platforms:
        config = config_of(platform)
        registry.blobs[digest_of(config)] = config
        data = manifest_of(config)
        publish(registry, digest_of(data), data)
        described = {"os": platform.os, "architecture": platform.architecture, "variant": platform.variant}
        entry = {"mediaType": OCI_MANIFEST, "digest": digest_of(data), "size": len(data), "platform": described}
        entries.append(entry)
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    publish(registry, "latest", index, OCI_INDEX)


async def test_an_index_gives_the_platform_asked_for(
    registry: ScriptedRegistry, address: str, client: RegistryClient
) -> None:
    arm = Platform("linux", "arm64", "v8")
    publish_index(registry, Platform("unknown", "unknown"), HOST, arm)
    where = Repository(address, "app")
    assert (await client.fetch(where, "latest")).platform == HOST
    found = await client.fetch(where, "latest", platform=Platform("linux", "arm64"))
    assert found.platform.architecture == "arm64"
    assert found.digest != found.manifest.digest
    with pytest.raises(NotFound, match="no matching manifest for linux/riscv64"):
        await client.fetch(where, "latest", platform=Platform("linux", "riscv64"))
    assert len((await client.inspect(where, "latest")).platforms) == 3


async def test_a_single_image_of_another_platform(
    registry: ScriptedRegistry, address: str, client: RegistryClient
) -> None:
    config = config_of(Platform("linux", "arm64"))
    registry.blobs[digest_of(config)] = config
    publish(registry, "arm", manifest_of(config))
    where = Repository(address, "app")
    assert (await client.fetch(where, "arm")).platform.architecture == "arm64"
    with pytest.raises(NotFound, match=r"its platform \(linux/arm64\) does not match .*linux/amd64"):
        await client.fetch(where, "arm", platform=HOST)


@pytest.mark.parametrize(
    ("data", "kind", "error"),
    [
        (b"{", OCI_MANIFEST, InvalidParameter),
        (b'{"schemaVersion": 1}', "application/vnd.docker.distribution.manifest.v1+prettyjws", Unsupported),
        (b'{"schemaVersion": 2}', "application/json", Unsupported),
        (b'{"schemaVersion": 2}', OCI_MANIFEST, InvalidParameter),
        (b'{"schemaVersion": 2}', OCI_INDEX, InvalidParameter),
        (manifest_of(b"{}", kind=OCI_MANIFEST), DOCKER_MANIFEST, InvalidParameter),
        (manifest_of(b"{}", Descriptor("text/plain", LAYER.digest, 1)), OCI_MANIFEST, Unsupported),
        (manifest_of(b"{}", Descriptor(DOCKER_GZIP_LAYER, "sha512:00", 1)), OCI_MANIFEST, InvalidParameter),
        (manifest_of(b"{}", Descriptor(DOCKER_GZIP_LAYER, LAYER.digest, -1)), OCI_MANIFEST, InvalidParameter),
        (manifest_of(b"{}").replace(OCI_CONFIG.encode(), b"application/vnd.helm"), OCI_MANIFEST, Unsupported),
        (manifest_of(b"[]"), OCI_MANIFEST, InvalidParameter),
        (manifest_of(b"{}", LAYER), OCI_MANIFEST, InvalidParameter),
    ],
)
async def test_what_is_no_image_is_refused(
    registry: ScriptedRegistry,
    address: str,
    client: RegistryClient,
    data: bytes,
    kind: str,
    error: type[Exception],
) -> None:
    for config in (b"{}", b"[]"):
        registry.blobs[digest_of(config)] = config
    publish(registry, "bad", data, kind)
    with pytest.raises(error):
        await client.fetch(Repository(address, "app"), "bad")


async def test_an_upload_goes_on_where_the_registry_is(
    registry: ScriptedRegistry, address: str, client: RegistryClient
) -> None:
    registry.refusals = 2
    sent = await client.send_layer(Repository(address, "app"), LAYER.digest, gzipped(BLOB))
    assert gzip.decompress(registry.blobs[sent.descriptor.digest]) == BLOB
    assert len(registry.uploads) == 1
    starts = [int(place.split("-")[0]) for method, _, place in registry.requests if method == "PATCH"]
    assert starts == sorted(set(starts))
    assert len(starts) == 3


async def test_tags_come_over_pages(registry: ScriptedRegistry, address: str, client: RegistryClient) -> None:
    registry.tags = ["a", "b", "c", "d", "e"]
    assert await client.tags(Repository(address, "team/app")) == ("a", "b", "c", "d", "e")


async def test_a_manifest_must_be_what_its_digest_says(
    registry: ScriptedRegistry, address: str, client: RegistryClient
) -> None:
    registry.manifests[LAYER.digest] = (OCI_MANIFEST, manifest_of(b"{}"))
    with pytest.raises(InvalidParameter, match="verification failed"):
        await client.fetch(Repository(address, "app"), LAYER.digest)


async def test_a_mirror_is_asked_first_and_may_fail(registry: ScriptedRegistry, address: str, tmp_path: Path) -> None:
    publish_index(registry, HOST)
    policy = RegistryPolicy(mirrors=("http://127.0.0.1:1", f"http://{address}"), certificates=())
    client = RegistryClient(policy, HOST, str(tmp_path / "known"), WebClient("zonehost-test"))
    assert (await client.fetch(Repository("docker.io", "library/app"), "latest")).platform == HOST
    await client.close()


async def test_credentials_do_not_follow_an_upload_elsewhere(client: RegistryClient) -> None:
    seen: list[str | None] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=403)

    other = web.Application()
    other.router.add_route("*", "/{path:.*}", elsewhere)
    async with serving(other) as away:

        async def begin(request: web.Request) -> web.Response:
            if "Authorization" not in request.headers:
                return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            return web.Response(status=202, headers={"Location": f"http://{away}/upload"})

        app = web.Application()
        app.router.add_post("/v2/app/blobs/uploads/", begin)
        async with serving(app) as here:

            async def data() -> AsyncIterator[bytes]:
                yield b"x"

            with pytest.raises(Forbidden):
                login = Login(username="ada", password="secret")
                await client.send_layer(Repository(here, "app"), LAYER.digest, data, login)
    assert seen == [None]


async def test_pages_of_tags_that_lead_round_in_circles_come_to_an_end(client: RegistryClient) -> None:
    async def page(request: web.Request) -> web.Response:
        last = request.query.get("last", "")
        following = {"": "b", "b": "a", "a": "b"}[last]
        headers = {"Link": f'<{request.path}?last={following}>; rel="next"'}
        return web.json_response({"tags": [last or "first"]}, headers=headers)

    app = web.Application()
    app.router.add_get("/v2/app/tags/list", page)
    async with serving(app) as address:
        assert await client.tags(Repository(address, "app")) == ("a", "b", "first")


@pytest.mark.parametrize("tag", ["../../other/manifests/x", "", "a b", "\x1b[2J", "x" * 129])
async def test_a_tag_that_is_none_is_not_taken(
    client: RegistryClient, registry: ScriptedRegistry, address: str, tag: str
) -> None:
    registry.tags = ["a", tag]
    with pytest.raises(InvalidParameter, match="a tag that is none"):
        await client.tags(Repository(address, "app"))
