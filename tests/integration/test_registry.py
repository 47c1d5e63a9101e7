"""`docker pull`, `push` and `login` with the real command and Debian's registry."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conformance.registry.proxy import WebProxy
from tests.conformance.registry.servers import (
    PASSWORD,
    USER,
    TokenServer,
    basic_auth,
    cutting_proxy,
    debian_registry,
)
from tests.integration.inventory import storage_roots
from tests.integration.rig import COMMAND, Daemon

pytestmark = pytest.mark.skipif(shutil.which("docker-registry") is None, reason="docker-registry is not installed")


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[str]:
    async with debian_registry(tmp_path / "registry") as address:
        yield address


def make_image(daemon: Daemon, name: str, *files: tuple[str, str]) -> None:
    """An image of busybox's layer and one layer a file."""
    steps = "".join(f"RUN echo {text} > /{path}\n" for path, text in files)
    daemon.docker("build", "-q", "-t", name, "-", stdin=f"FROM busybox\n{steps}")


EMPTY_TAR = "\0" * 10240


async def docker(daemon: Daemon, *words: str, stdin: str = "") -> str:
    """Run docker beside servers of this process."""
    return await asyncio.to_thread(daemon.docker, *words, stdin=stdin)


async def test_an_image_travels_between_daemons(
    daemon: Daemon, new_daemon: Callable[..., Daemon], registry: str
) -> None:
    name = f"{registry}/team/app"
    make_image(daemon, f"{name}:1", ("a", "1"), ("b", "2"))
    make_image(daemon, f"{name}:2", ("a", "1"), ("b", "other"))
    pushed = daemon.docker("push", f"{name}:1")
    assert pushed.count(": Pushed") == 3
    assert "1: digest: sha256:" in pushed
    again = daemon.docker("push", f"{name}:2")
    assert (again.count("Layer already exists"), again.count(": Pushed")) == (2, 1)
    daemon.docker("tag", f"{name}:1", f"{registry}/sister:x")
    assert "Mounted from team/app" in daemon.docker("push", f"{registry}/sister:x")
    other = new_daemon()
    pulled = other.docker("pull", f"{name}:1")
    assert pulled.count("Pull complete") == 3
    assert f"Status: Downloaded newer image for {name}:1" in pulled
    assert other.docker("run", "--rm", f"{name}:1", "cat", "/a", "/b") == "1\n2"
    assert other.docker("inspect", "-f", "{{.Id}}", f"{name}:1") == daemon.docker(
        "inspect", "-f", "{{.Id}}", f"{name}:1"
    )
    assert f"Status: Image is up to date for {name}:1" in other.docker("pull", f"{name}:1")
    renamed = other.docker("pull", f"{registry}/sister:x")
    assert renamed.startswith("x: Pulling from sister\nDigest: sha256:")
    assert f"Status: Downloaded newer image for {registry}/sister:x" in renamed
    other.docker("rmi", f"{registry}/sister:x")
    digest = other.docker("inspect", "-f", "{{index .RepoDigests 0}}", f"{name}:1")
    other.docker("rmi", f"{name}:1")
    assert other.docker("run", "--rm", digest, "cat", "/a") == "1"
    assert other.docker("pull", "-a", name).count("Digest: sha256:") == 2
    assert "Using cache" not in other.docker("build", "-", stdin=f"FROM {registry}/sister:x\nRUN cat /a\n")


async def test_what_a_registry_has_not(daemon: Daemon, registry: str) -> None:
    result = daemon.run("pull", f"{registry}/none:1")
    assert result.status == 1
    assert "manifest unknown" in result.err
    assert daemon.run("run", "--rm", f"{registry}/none:1").status == 125
    assert "does not exist locally with the tag" in daemon.run("push", f"{registry}/none:1").err
    assert "has no search" in daemon.run("search", f"{registry}/x").err


async def test_a_cut_pull_goes_on(daemon: Daemon, tmp_path: Path, registry: str) -> None:
    name = "cut/app:1"
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN head -c 3000000 /dev/urandom > /noise\n")
    daemon.docker("build", "-q", "-t", f"{registry}/{name}", ".", cwd=tmp_path)
    daemon.docker("push", f"{registry}/{name}")
    daemon.docker("rmi", "-f", f"{registry}/{name}")
    daemon.docker("builder", "prune", "-af")
    async with cutting_proxy(registry, [], [1 << 20, 1 << 20, 1 << 20]) as address:
        await docker(daemon, "pull", f"{address}/{name}")
        assert "3000000" in await docker(daemon, "run", "--rm", f"{address}/{name}", "wc", "-c", "/noise")


async def test_a_proxy_leads_to_the_registry(registry: str) -> None:
    name, proxy = "registry.test:5000", WebProxy({"registry.test:5000": registry}, login="ada:secret")
    async with proxy.serving() as address:
        daemon = Daemon.make("--insecure-registry", name)
        way = f"http://ada:secret@{address}"
        daemon.variables = {"HTTP_PROXY": way, "HTTPS_PROXY": way, "NO_PROXY": "*.local,10.0.0.0/8"}
        try:
            await asyncio.to_thread(daemon.start)
            told = json.loads(await docker(daemon, "info", "--format", "{{json .}}"))
            hidden = f"http://xxxxx:xxxxx@{address}"
            assert (told["HttpProxy"], told["HttpsProxy"], told["NoProxy"]) == (hidden, hidden, "*.local,10.0.0.0/8")
            await docker(daemon, "import", "-", f"{name}/team/app", stdin=EMPTY_TAR)
            assert "latest: digest: sha256:" in await docker(daemon, "push", f"{name}/team/app")
            await docker(daemon, "rmi", f"{name}/team/app")
            assert "Downloaded newer image" in await docker(daemon, "pull", f"{name}/team/app")
        finally:
            await asyncio.to_thread(daemon.close)
    assert ("POST", name) in proxy.asked


async def test_login(daemon: Daemon, tmp_path: Path) -> None:
    async with debian_registry(tmp_path / "registry", auth=basic_auth(tmp_path)) as address:
        make_image(daemon, f"{address}/app", ("a", "1"))
        assert "no basic auth credentials" in daemon.run("push", f"{address}/app").err
        wrong = daemon.run("login", "-u", USER, "--password-stdin", address, stdin="wrong")
        assert "/v2/ failed with status: 401 Unauthorized" in wrong.err
        assert "Login Succeeded" in daemon.docker("login", "-u", USER, "--password-stdin", address, stdin=PASSWORD)
        daemon.docker("push", f"{address}/app")
        daemon.docker("pull", f"{address}/app")
        daemon.docker("logout", address)
        assert daemon.run("pull", f"{address}/app").status != 0


async def test_login_with_tokens(daemon: Daemon, tmp_path: Path) -> None:
    async with (
        TokenServer(tmp_path).serving() as tokens,
        debian_registry(tmp_path / "registry", auth=tokens.registry_auth()) as address,
    ):
        make_image(daemon, f"{address}/private/app", ("a", "1"))
        await docker(daemon, "login", "-u", USER, "--password-stdin", address, stdin=PASSWORD)
        await docker(daemon, "push", f"{address}/private/app")
        await docker(daemon, "pull", f"{address}/private/app")
        await docker(daemon, "logout", address)
        denied = await asyncio.to_thread(daemon.run, "pull", f"{address}/private/app")
        assert "pull access denied" in denied.err


async def test_a_base_that_moved_makes_an_image_stale(daemon: Daemon, tmp_path: Path, registry: str) -> None:
    base = f"{registry}/base:1"
    make_image(daemon, base, ("version", "1"))
    daemon.docker("push", base)
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nRUN cat /version > /copy\n")
    daemon.docker("build", "-q", "-t", "app", ".", cwd=tmp_path)
    assert daemon.zonehost("stale", "app") == "nothing is out of date\n"
    make_image(daemon, f"{registry}/other", ("version", "2"))
    daemon.docker("tag", f"{registry}/other", base)
    daemon.docker("push", base)
    command = (str(COMMAND), "stale", "app")
    stale = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=daemon.environment)
    table, _ = await stale.communicate()
    assert stale.returncode == 3
    assert f"app     base   {base}" in table.decode()
    rebuilt = daemon.zonehost("rebuild", "--stale", "app", str(tmp_path))
    assert "Successfully tagged app:latest" in rebuilt
    assert daemon.docker("run", "--rm", "app", "cat", "/copy") == "2"
    assert daemon.zonehost("rebuild", "--stale", "app", str(tmp_path)) == "app is not out of date\n"


def copy(*words: str | Path) -> None:
    subprocess.run(["skopeo", "copy", "--quiet", *words], check=True, capture_output=True, timeout=60)


async def test_layers_in_zstd_and_uncompressed(daemon: Daemon, tmp_path: Path, registry: str) -> None:
    make_image(daemon, "app", ("a", "1"), ("b", "2"))
    daemon.docker("save", "-o", str(tmp_path / "saved.tar"), "app")
    saved, plain = f"docker-archive:{tmp_path}/saved.tar", f"dir:{tmp_path}/plain"
    copy(
        "--dest-tls-verify=false", "--dest-compress-format", "zstd", "-f", "oci", saved, f"docker://{registry}/app:zstd"
    )
    copy("--dest-decompress", saved, plain)
    described = tmp_path / "plain/manifest.json"  # skopeo decompresses, and says gzip all the same
    described.write_text(described.read_text().replace("diff.tar.gzip", "diff.tar"))
    copy("--dest-tls-verify=false", "--preserve-digests", plain, f"docker://{registry}/app:plain")
    manifests = [await manifest(registry, "app", tag) for tag in ("zstd", "plain")]
    kinds = [{layer["mediaType"] for layer in found["layers"]} for found in manifests]
    assert kinds == [
        {"application/vnd.oci.image.layer.v1.tar+zstd"},
        {"application/vnd.docker.image.rootfs.diff.tar"},
    ]
    stack = daemon.docker("inspect", "-f", "{{.RootFS.Layers}}", "app")
    daemon.remove_images({"app"})
    for tag in ("zstd", "plain"):
        name = f"{registry}/app:{tag}"
        assert daemon.docker("pull", name).count("Pull complete") == 2
        assert daemon.docker("inspect", "-f", "{{.RootFS.Layers}}", name) == stack
        assert daemon.docker("run", "--rm", name, "cat", "/a", "/b") == "1\n2"
        daemon.remove_images({name})


async def test_a_damaged_layer_is_refused_and_nothing_stays(daemon: Daemon, tmp_path: Path, registry: str) -> None:
    name = f"{registry}/app:1"
    make_image(daemon, name, ("a", "1"), ("b", "2"))
    daemon.docker("push", name)
    layer = (await manifest(registry, "app", "1"))["layers"][-1]["digest"].removeprefix("sha256:")
    (blob,) = (tmp_path / "registry").rglob(f"{layer}/data")
    content = blob.read_bytes()
    daemon.remove_images({daemon.docker("inspect", "-f", "{{.Id}}", name)})
    before = layers(daemon)
    for damaged in (content[:-1] + bytes([content[-1] ^ 1]), content + b"more", content[:-1]):
        blob.write_bytes(damaged)
        result = daemon.run("pull", name)
        assert result.status == 1, result.out
        assert any(words in result.err for words in ("verification failed", "larger than", "broke off")), result.err
        assert daemon.run("inspect", name).status == 1
        assert layers(daemon) == before
    blob.write_bytes(content)
    daemon.docker("pull", name)


def layers(daemon: Daemon) -> set[str]:
    """Names of the folders in the pool of layers."""
    (pool,) = {path for root in storage_roots(daemon.instance) for path in root.glob("layers")}
    return {folder.name for folder in pool.iterdir()}


async def manifest(registry: str, name: str, tag: str) -> dict[str, Any]:
    """The manifest as the registry serves it."""
    kinds = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    url = f"http://{registry}/v2/{name}/manifests/{tag}"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Accept": kinds}) as answer:
        found: dict[str, Any] = json.loads(await answer.text())
        return found


async def test_what_a_registry_says_of_an_image(daemon: Daemon, registry: str) -> None:
    name = f"{registry}/app:1"
    make_image(daemon, name, ("a", "1"))
    daemon.docker("push", name)
    told = json.loads(daemon.docker("manifest", "inspect", "--insecure", name))
    assert len(told["layers"]) == 2
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(daemon.endpoint))) as session,
        session.get(f"http://docker/v1.47/distribution/{name}/json") as answer,
    ):
        found = await answer.json()
    assert f"{registry}/app@{found['Descriptor']['digest']}" == daemon.docker(
        "inspect", "-f", "{{index .RepoDigests 0}}", name
    )
    assert found["Platforms"] == [{"architecture": "amd64", "os": "linux"}]
