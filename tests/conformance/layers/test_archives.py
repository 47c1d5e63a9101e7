"""The suite of the archives port: skopeo reads what is saved and writes what is loaded; old and odd forms by hand."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.conformance.layers.stacks import Stack, folders
from zonehost.domain.image import Layer
from zonehost.drivers.layers.archives import LayerArchives
from zonehost.drivers.layers.pool import LayerPool
from zonehost.errors import InvalidParameter
from zonehost.linux.forkserver import ForkServer
from zonehost.ports.archives import ArchivedImage

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make whiteouts")


async def sliced(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def joined(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def config_of(*layers: bytes, **fields: Any) -> bytes:
    rootfs = {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}
    return json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs, "config": {}, **fields}).encode()


def tar(files: dict[str, bytes | str]) -> bytes:
    """An archive in the order given; a text is the target of a symbolic link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.fixture
def archives(pool: LayerPool, forks: ForkServer) -> LayerArchives:
    return LayerArchives(pool, forks)


@pytest.fixture
def fresh(forks: ForkServer, tmp_path: Path) -> Callable[[], tuple[LayerPool, LayerArchives]]:
    """Makes further pools."""
    count = iter(range(100))

    def make() -> tuple[LayerPool, LayerArchives]:
        root = tmp_path / f"more-{next(count)}"
        root.mkdir()
        pool = LayerPool(str(root), forks)
        return pool, LayerArchives(pool, forks)

    return make


async def image_in(pool: LayerPool, *names: str, seed: int = 0, layers: int = 3) -> ArchivedImage:
    stack = Stack(seed)
    blobs = [stack.layer() for _ in range(layers)]
    config = config_of(*blobs, author=f"seed {seed}")
    return ArchivedImage(config, tuple([await pool.unpack(sliced(blob)) for blob in blobs]), names)


def skopeo(*arguments: str | Path) -> None:
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", *arguments], check=True, capture_output=True)


async def test_what_is_saved_loads_again(
    pool: LayerPool, archives: LayerArchives, fresh: Callable[[], tuple[LayerPool, LayerArchives]]
) -> None:
    one = await image_in(pool, "busybox:latest", "registry.example:5000/a/b:1.0")
    two = await image_in(pool, seed=1)
    data = await joined(archives.save([one, two]))
    assert data == await joined(archives.save([one, two]))
    other_pool, other = fresh()
    assert await other.load(sliced(data)) == (one, two)
    for layer in one.layers:
        assert await joined(other_pool.pack(layer.diff_id)) == await joined(pool.pack(layer.diff_id))
    assert await other.load(sliced(gzip.compress(data))) == (one, two)


async def test_the_form_of_what_is_saved(pool: LayerPool, archives: LayerArchives) -> None:
    image = await image_in(pool, "busybox:latest")
    data = await joined(archives.save([image]))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = archive.getnames()
        texts = {info.name: file.read() for info in archive if (file := archive.extractfile(info)) is not None}
    assert names == sorted(names)
    assert {name for name in names if "/" not in name} == {
        "blobs",
        "index.json",
        "manifest.json",
        "oci-layout",
        "repositories",
    }
    for name, content in texts.items():
        if name.startswith("blobs/sha256/"):
            assert f"sha256:{name.removeprefix('blobs/sha256/')}" == digest(content)
    (manifest,) = json.loads(texts["manifest.json"])
    assert manifest["Config"] == f"blobs/sha256/{hashlib.sha256(image.config).hexdigest()}"
    assert manifest["RepoTags"] == ["busybox:latest"]
    assert manifest["Layers"] == [f"blobs/{layer.diff_id.replace(':', '/')}" for layer in image.layers]
    (described,) = json.loads(texts["index.json"])["manifests"]
    assert described["annotations"] == {
        "io.containerd.image.name": "docker.io/library/busybox:latest",
        "org.opencontainers.image.ref.name": "latest",
    }
    assert described["platform"] == {"architecture": "amd64", "os": "linux"}
    assert json.loads(texts["repositories"]) == {
        "busybox": {"latest": image.layers[-1].diff_id.removeprefix("sha256:")}
    }


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
async def test_round_trip_through_skopeo(
    pool: LayerPool,
    archives: LayerArchives,
    fresh: Callable[[], tuple[LayerPool, LayerArchives]],
    tmp_path: Path,
    form: str,
) -> None:
    image = await image_in(pool, "docker.io/library/it:1")
    (tmp_path / "saved.tar").write_bytes(await joined(archives.save([image])))
    target = f"{form}:{tmp_path}/copied.tar:docker.io/library/it:1"
    await asyncio.to_thread(skopeo, f"docker-archive:{tmp_path}/saved.tar", target)
    _, other = fresh()
    (found,) = await other.load(sliced((tmp_path / "copied.tar").read_bytes()))
    assert found.layers == image.layers
    assert [name.removeprefix("docker.io/library/") for name in found.names] == ["it:1"]
    # An OCI archive of skopeo's has its layers compressed, and its configuration may be written anew.
    assert form == "oci-archive" or found.config == image.config


async def test_skopeo_reads_the_oci_layout(pool: LayerPool, archives: LayerArchives, tmp_path: Path) -> None:
    image = await image_in(pool, "it:1")
    (tmp_path / "saved.tar").write_bytes(await joined(archives.save([image])))
    await asyncio.to_thread(skopeo, f"oci-archive:{tmp_path}/saved.tar", f"dir:{tmp_path}/copied")
    digests = {layer.diff_id.removeprefix("sha256:") for layer in image.layers}
    assert digests <= {path.name for path in (tmp_path / "copied").iterdir()}


async def test_documents_and_layers_have_the_time_of_their_image(pool: LayerPool, archives: LayerArchives) -> None:
    blob = tar({"a": b"1"})
    config = config_of(blob, created="2024-05-06T07:08:09.5Z")
    image = ArchivedImage(config, (await pool.unpack(sliced(blob)),), ())
    with tarfile.open(fileobj=io.BytesIO(await joined(archives.save([image])))) as archive:
        times = {member.name: member.mtime for member in archive}
    assert times[f"blobs/{digest(config).replace(':', '/')}"] == 1714979289
    assert times[f"blobs/{digest(blob).replace(':', '/')}"] == 1714979289
    assert times["index.json"] == 0


async def test_an_image_without_layers(archives: LayerArchives) -> None:
    config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":null}}'
    data = tar({"c.json": config, "manifest.json": b'[{"Config":"c.json","RepoTags":null,"Layers":null}]'})
    assert await archives.load(sliced(data)) == (ArchivedImage(config, (), ()),)


async def test_old_docker_archives_with_linked_layers(archives: LayerArchives, pool: LayerPool) -> None:
    """As Docker before 25 wrote them: layers come first, one of them is a link to another image's."""
    layer, other = tar({"a": b"1"}), tar({"b": b"2"})
    config = config_of(layer, other, layer)
    data = tar(
        {
            "aaa/VERSION": b"1.0",
            "aaa/json": b'{"id":"aaa"}',
            "aaa/layer.tar": layer,
            "bbb/layer.tar": zstandard.compress(other),
            "ccc/layer.tar": "../aaa/layer.tar",
            "0123.json": config,
            "manifest.json": json.dumps(
                [
                    {
                        "Config": "0123.json",
                        "RepoTags": ["old:1", "old:2"],
                        "Layers": ["aaa/layer.tar", "bbb/layer.tar", "ccc/layer.tar"],
                    }
                ]
            ).encode(),
            "repositories": b'{"old":{"1":"ccc"}}',
        }
    )
    (image,) = await archives.load(sliced(data))
    assert image.config == config
    assert image.names == ("old:1", "old:2")
    assert [found.diff_id for found in image.layers] == [digest(layer), digest(other), digest(layer)]
    assert await joined(pool.pack(digest(other))) == other


async def test_layers_that_are_here_are_not_unpacked_again(
    pool: LayerPool, archives: LayerArchives, tmp_path: Path
) -> None:
    image = await image_in(pool, "it:1")
    data = await joined(archives.save([image]))
    before = {path: path.stat().st_ino for path in folders(tmp_path)}
    assert await archives.load(sliced(data)) == (image,)
    assert {path: path.stat().st_ino for path in folders(tmp_path)} == before


async def test_of_several_platforms_this_machine_s_is_taken(archives: LayerArchives) -> None:
    layer = tar({"a": b"1"})
    texts: dict[str, bytes | str] = {}

    def blob(content: bytes, kind: str, **fields: Any) -> dict[str, Any]:
        texts[f"blobs/{digest(content).replace(':', '/')}"] = content
        media_type = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media_type, "digest": digest(content), "size": len(content), **fields}

    def manifest(architecture: str) -> dict[str, Any]:
        config = blob(config_of(layer, architecture=architecture), "config.v1+json")
        body = {"schemaVersion": 2, "config": config, "layers": [blob(layer, "layer.v1.tar")]}
        platform = {"os": "linux", "architecture": architecture}
        return blob(json.dumps(body).encode(), "manifest.v1+json", platform=platform)

    index = blob(
        json.dumps({"schemaVersion": 2, "manifests": [manifest("s390x"), manifest("amd64")]}).encode(),
        "index.v1+json",
        annotations={"org.opencontainers.image.ref.name": "example.org/it:3"},
    )
    texts["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [index]}).encode()
    (image,) = await archives.load(sliced(tar(texts)))
    assert json.loads(image.config)["architecture"] == "amd64"
    assert image.names == ("example.org/it:3",)


def docker_archive(layer: bytes, config: bytes, layers: list[str]) -> dict[str, bytes | str]:
    manifest = [{"Config": "c.json", "RepoTags": None, "Layers": layers}]
    return {"l.tar": layer, "c.json": config, "manifest.json": json.dumps(manifest).encode()}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (tar({"a": b"1"}), "neither a manifest.json nor an index.json"),
        (b"", "neither a manifest.json"),
        (b"hello" * 1000, "not a tar archive"),
        (tar({"manifest.json": b"{"}), "manifest.json"),
        (tar({"manifest.json": b"null"}), "manifest.json"),
        (tar(docker_archive(tar({"a": b"1"}), config_of(tar({"a": b"1"})), ["gone.tar"])), "gone.tar"),
        (tar(docker_archive(tar({"a": b"1"}), config_of(), ["l.tar"])), "layers length mismatch: expected 1, got 0"),
        (tar(docker_archive(tar({"a": b"1"}), config_of(tar({"b": b"1"})), ["l.tar"])), "invalid diffID for layer 0"),
        (tar({f"blobs/sha256/{'0' * 64}": tar({"a": b"1"})}), "the layer is sha256"),
        (tar({f"blobs/sha256/{'0' * 64}": b"{}"}), "damaged: blobs/sha256/000"),
        (tar({f"blobs/sha256/{'0' * 64}": gzip.compress(tar({"a": b"1"}))}), "damaged: blobs/sha256/000"),
        (tar({"l.tar": tar({"../a": b"1"})}), "leads out"),
        (tar({"index.json": b'{"manifests":[{"digest":"sha256:1","size":1}]}'}), "does not hold the manifest"),
    ],
)
async def test_what_is_no_archive_of_images_leaves_nothing(
    archives: LayerArchives, tmp_path: Path, data: bytes, why: str
) -> None:
    with pytest.raises(InvalidParameter, match=why):
        await archives.load(sliced(data))
    assert folders(tmp_path) == []


async def test_layers_that_no_image_names_are_dropped(archives: LayerArchives, tmp_path: Path) -> None:
    layer = tar({"a": b"1"})
    files = docker_archive(layer, config_of(layer), ["l.tar"]) | {"other.tar": tar({"b": b"1"})}
    (image,) = await archives.load(sliced(tar(files)))
    assert image.layers == (Layer(diff_id=digest(layer), size=1, archive_size=len(layer)),)
    assert [path.name for path in folders(tmp_path)] == [digest(layer).removeprefix("sha256:")]
