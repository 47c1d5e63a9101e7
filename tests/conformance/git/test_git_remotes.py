"""The suite of the git port: repositories read with the real git, from its own servers on loopback."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conformance.git.repositories import TIME, Repository, Server, git, git_daemon, plain_files, served
from zonehost.domain.git_url import GitUrl, read_git_url
from zonehost.drivers.git.remotes import GitCommand
from zonehost.errors import InvalidParameter, Unavailable, Unsupported
from zonehost.linux.forkserver import ForkServer
from zonehost.ports.git import GitAccess

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a pid namespace needs root")
NOBODY = GitAccess()


@pytest.fixture
async def remotes() -> AsyncIterator[GitCommand]:
    forks = ForkServer()
    yield GitCommand(forks)
    await forks.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "served").mkdir()
    with served(tmp_path / "served") as server:
        yield server


@pytest.fixture
def repository(server: Server) -> Repository:
    return Repository.make(server.folder, "app.git")


def at(server: Server, rest: str = "", name: str = "app.git") -> GitUrl:
    url = read_git_url(f"{server.url}/{name}{rest}")
    assert url is not None
    return url


def files(root: str) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text()
        for path in sorted(Path(root).rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(root).parts[:1]
    }


async def test_refs_lead_to_commits(remotes: GitCommand, server: Server, repository: Repository) -> None:
    first = repository.commit({"file": "one"}, tag="v1")
    second = repository.commit({"file": "two"})
    third = repository.commit({"file": "three"}, branch="v1")
    for ref, commit in (
        ("", second),
        ("#main", second),
        ("#v1", third),  # as git-checkout: a branch goes before a tag
        ("?tag=v1", first),
        ("#refs/tags/v1", first),
        ("#tags/v1", first),
        ("?branch=v1", third),
        (f"#{first}", first),
    ):
        assert (await remotes.find(at(server, ref), NOBODY)).commit == commit, ref
    with pytest.raises(InvalidParameter, match="does not contain ref nothing"):
        await remotes.find(at(server, "#nothing"), NOBODY)
    with pytest.raises(Unavailable, match="app2"):
        await remotes.find(at(server, name="app2.git"), NOBODY)


async def test_a_whole_hash_is_asked_nobody(remotes: GitCommand) -> None:
    url = read_git_url("https://127.0.0.1:1/x.git#" + "a" * 40)
    assert url is not None
    assert (await remotes.find(url, NOBODY)).commit == "a" * 40


async def test_a_host_without_git(remotes: GitCommand, server: Server, tmp_path: Path) -> None:
    without = GitCommand(remotes._forks, path=str(tmp_path))
    with pytest.raises(Unsupported, match="git is not installed"):
        await without.find(at(server), NOBODY)


async def test_a_checkout(remotes: GitCommand, server: Server, repository: Repository, tmp_path: Path) -> None:
    old = repository.commit({"file": "old", "deep/er/inner": "in"})
    repository.commit({"file": "new"})
    for rest, expected in (
        ("", {"deep/er/inner": "in", "file": "new"}),
        (f"#{old}", {"deep/er/inner": "in", "file": "old"}),
        ("#main:deep", {"er/inner": "in"}),
    ):
        url, folder = at(server, rest), tmp_path / f"out{len(rest)}"
        found = await remotes.check_out(url, await remotes.find(url, NOBODY), str(folder), NOBODY, keep=False)
        assert files(found) == expected
        assert not (folder / ".git").exists()
        for path in (folder, *folder.rglob("*")):
            assert path.lstat().st_mtime == TIME
            assert (path.lstat().st_uid, path.lstat().st_mode & 0o22) == (0, 0)


async def test_a_subdirectory_that_is_not_there(
    remotes: GitCommand, server: Server, repository: Repository, tmp_path: Path
) -> None:
    repository.tree.joinpath("out").symlink_to("/etc")
    repository.commit({"file": "x"})
    for number, subdir in enumerate(("absent", "file", "out")):
        url = at(server, f"#main:{subdir}")
        with pytest.raises(InvalidParameter, match=f"no directory {subdir}"):
            await remotes.check_out(
                url, await remotes.find(url, NOBODY), str(tmp_path / f"out{number}"), NOBODY, keep=False
            )


async def test_a_commit_that_is_not_there(
    remotes: GitCommand, server: Server, repository: Repository, tmp_path: Path
) -> None:
    repository.commit({"file": "x"})
    url = at(server, "#" + "a" * 40)
    with pytest.raises(InvalidParameter, match="does not contain commit aaaa"):
        await remotes.check_out(url, await remotes.find(url, NOBODY), str(tmp_path / "out"), NOBODY, keep=False)


async def test_a_server_that_gives_no_commit_by_its_hash(
    remotes: GitCommand, repository: Repository, tmp_path: Path
) -> None:
    old = repository.commit({"file": "old"})
    repository.commit({"file": "new"})
    git("-C", str(repository.bare), "update-server-info")
    with plain_files(repository.bare.parent) as address:
        url = read_git_url(f"{address}/app.git#{old}")
        assert url is not None
        head = await remotes.find(url, NOBODY)
        assert files(await remotes.check_out(url, head, str(tmp_path / "out"), NOBODY, keep=False)) == {"file": "old"}


async def test_gits_own_folder(remotes: GitCommand, server: Server, repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"file": "x"}, tag="v1")
    repository.commit({"file": "y"})
    url = at(server, "#v1")
    found = await remotes.check_out(url, await remotes.find(url, NOBODY), str(tmp_path / "out"), NOBODY, keep=True)
    assert git("-C", found, "rev-parse", "HEAD") == commit
    assert git("-C", found, "describe") == "v1"
    assert git("-C", found, "status", "--porcelain") == ""
    assert git("-C", found, "remote", "get-url", "origin") == f"{server.url}/app.git"
    assert not (Path(found) / ".git/hooks").exists()


async def test_submodules(remotes: GitCommand, server: Server, repository: Repository, tmp_path: Path) -> None:
    inner = Repository.make(server.folder, "inner.git")
    inner.commit({"inside": "of inner"})
    git("-C", str(repository.tree), "submodule", "--quiet", "add", str(inner.bare), "sub")
    repository.git("config", "--file", ".gitmodules", "submodule.sub.url", "../inner.git")
    repository.commit({"file": "x"})
    whole = at(server)
    found = await remotes.check_out(whole, await remotes.find(whole, NOBODY), str(tmp_path / "a"), NOBODY, keep=False)
    assert {"file", "sub/inside"} <= files(found).keys()
    assert not (Path(found) / "sub/.git").exists()
    without = at(server, "?submodules=false")
    found = await remotes.check_out(without, await remotes.find(whole, NOBODY), str(tmp_path / "b"), NOBODY, keep=False)
    assert "sub/inside" not in files(found)


async def test_a_submodule_leads_to_no_file_of_this_host(
    remotes: GitCommand, server: Server, repository: Repository, tmp_path: Path
) -> None:
    inner = Repository.make(tmp_path, "secret.git")
    inner.commit({"secret": "of this host"})
    git("-C", str(repository.tree), "submodule", "--quiet", "add", str(inner.bare), "sub")
    repository.commit({"file": "x"})
    url = at(server)
    with pytest.raises(Unavailable, match="transport 'file' not allowed"):
        await remotes.check_out(url, await remotes.find(url, NOBODY), str(tmp_path / "out"), NOBODY, keep=False)


async def test_a_login(remotes: GitCommand, server: Server, repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"file": "x"})
    server.login = "user:secret"
    with pytest.raises(Unavailable, match="could not read Username"):
        await remotes.find(at(server), NOBODY)
    config = tmp_path / "config"
    config.write_text(f'[http "{server.url}/"]\n\textraHeader = "Authorization: basic dXNlcjpzZWNyZXQ="\n')
    access = GitAccess(config=str(config))
    head = await remotes.find(at(server), access)
    assert head.commit == commit
    found = await remotes.check_out(at(server), head, str(tmp_path / "out"), access, keep=True)
    kept = b"".join(path.read_bytes() for path in Path(found).rglob("*") if path.is_file())
    assert b"dXNlcjpzZWNyZXQ" not in kept


async def test_the_hosts_own_configuration_and_hooks_count_for_nothing(
    remotes: GitCommand, server: Server, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"file": "x"})
    home = tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    hook = home / "hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o755)
    (home / ".gitconfig").write_text(
        f'[core]\n\thooksPath = {home}/hooks\n[url "http://127.0.0.1:1/"]\n\tinsteadOf = http\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    found = await remotes.check_out(
        at(server), await remotes.find(at(server), NOBODY), str(tmp_path / "out"), NOBODY, keep=False
    )
    assert files(found) == {"file": "x"}
    assert not (tmp_path / "hooked").exists()


async def test_by_gits_own_protocol(remotes: GitCommand, repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"file": "x"})
    with git_daemon(repository.bare.parent) as address:
        url = read_git_url(f"{address}/app.git#main")
        assert url is not None
        head = await remotes.find(url, NOBODY)
        assert head.commit == commit
        assert files(await remotes.check_out(url, head, str(tmp_path / "out"), NOBODY, keep=False)) == {"file": "x"}


async def test_a_caller_that_goes_away_ends_git(remotes: GitCommand, tmp_path: Path) -> None:
    connected = asyncio.Event()
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        connected.set()
        assert await reader.read() == b""
        ended.set()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listener:
        url = read_git_url(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/x.git")
        assert url is not None
        asking = asyncio.create_task(remotes.find(url, NOBODY))
        await connected.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        async with asyncio.timeout(10):
            await ended.wait()
