"""`docker pull`, `push` and `login` with the real command and Debian's registry."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.conformance.registry.servers import (
    PASSWORD,
    USER,
    TokenServer,
    basic_auth,
    cutting_proxy,
    debian_registry,
)
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


async def test_login(daemon: Daemon, tmp_path: Path) -> None:
    async with debian_registry(tmp_path / "registry", auth=basic_auth(tmp_path)) as address:
        make_image(daemon, f"{address}/app", ("a", "1"))
        assert "unauthorized: authentication required" in daemon.run("push", f"{address}/app").err
        wrong = daemon.run("login", "-u", USER, "--password-stdin", address, stdin="wrong")
        assert wrong.status != 0
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
