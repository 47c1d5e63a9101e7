"""Git repositories in builds, on fakes: contexts, ADD, what keys and `stale` know of them, logins."""

from __future__ import annotations

import base64
from typing import ClassVar

import pytest

from tests.unit.builder.fakes import Bench
from zonehost.errors import InvalidParameter
from zonehost.ports.build_client import NoClient
from zonehost.ports.builder import NamedContext
from zonehost.ports.provenance import GitUsed


@pytest.fixture
def bench() -> Bench:
    return Bench(a=b"1", b=b"2")


async def test_a_context_in_a_git_repository(bench: Bench) -> None:
    bench.git.remotes["https://h/c.git"] = {"main": "1" * 40}
    await bench.build("FROM base\nCOPY a /x", remote="https://u:p@h/c.git#main:sub")
    await bench.build("FROM base", remote="https://h/c.git#main", arguments={"BUILDKIT_CONTEXT_KEEP_GIT_DIR": "1"})
    assert bench.git.checked_out == ["1" * 40 + ":sub", "1" * 40 + ": with .git"]
    assert "not consumed" not in bench.text
    noted = [one for note in bench.cache.notes.values() for one in note.repositories]
    assert GitUsed(url="https://h/c.git#main:sub", commit="1" * 40) in noted, "so that `stale` can ask for it again"
    with pytest.raises(InvalidParameter, match="does not contain ref gone"):
        await bench.build("FROM base", remote="https://h/c.git#gone")


async def test_files_from_git_are_as_new_as_their_commit(bench: Bench) -> None:
    bench.git.remotes["https://h/c.git"] = {"main": "1" * 40, "v1": "1" * 40}
    await bench.build("FROM base\nADD https://h/c.git#main /d/\nRUN x")
    await bench.build("FROM base\nADD https://h/c.git#v1 /d/\nRUN x")
    assert bench.git.checked_out == ["1" * 40 + ":"], "the same commit is not read twice, whatever led to it"
    bench.git.remotes["https://h/c.git"]["main"] = "2" * 40
    await bench.build("FROM base\nADD https://h/c.git#main /d/\nRUN x")
    assert bench.git.checked_out[1:] == ["2" * 40 + ":"]
    assert bench.ran == ["x", "x"]
    for change in ("--keep-git-dir ", "--exclude=*.md "):
        await bench.build(f"FROM base\nADD {change}https://h/c.git#main /d/")
    assert bench.git.checked_out[2:] == ["2" * 40 + ": with .git", "2" * 40 + ":"]


async def test_a_checksum_of_a_repository(bench: Bench) -> None:
    bench.git.remotes["https://h/c.git"] = {"main": "12" * 20}
    await bench.build("FROM base\nADD --checksum=1212121 https://h/c.git#main /d/")
    assert not any(note.repositories for note in bench.cache.notes.values()), "it cannot go out of date"
    with pytest.raises(InvalidParameter, match="expected checksum to match 3434343, got 1212"):
        await bench.build("FROM base\nADD --checksum=3434343 https://h/c.git#main /d/")


async def test_logins_for_git(bench: Bench) -> None:
    """Each in a file of git's configuration, in memory: in no command line, and in no key."""

    class Client(NoClient):
        secrets: ClassVar = {"GIT_AUTH_TOKEN": b"for all\n", "GIT_AUTH_HEADER.own:8": b'digest "x"'}

        async def secret(self, name: str) -> bytes | None:
            return self.secrets.get(name)

    for host in ("h", "own:8"):
        bench.git.remotes[f"https://{host}/c.git"] = {"HEAD": "1" * 40}
        await bench.build(f"FROM base\nADD https://{host}/c.git /d/", client=Client())
    await bench.build("FROM base\nADD https://u:p@h/c.git /d/", client=Client())
    written = [data.decode() for data in bench.files.written]
    token, own = base64.b64encode(b"x-access-token:for all").decode(), base64.b64encode(b"u:p").decode()
    assert f'[http "https://h/"]\n\textraHeader = "Authorization: basic {token}"\n' in written
    assert '[http "https://own:8/"]\n\textraHeader = "Authorization: digest \\"x\\""\n' in written
    assert f'[http "https://h/"]\n\textraHeader = "Authorization: basic {own}"\n' in written
    assert all(access.config.startswith("/secret/") for access in bench.git.access)


async def test_contexts_with_names_at_addresses(bench: Bench) -> None:
    bench.git.remotes["https://h/c.git"] = {"main": "1" * 40}
    bench.files.urls["https://h/one.txt"] = b"one"
    contexts = {"code": NamedContext(remote="https://h/c.git#main"), "file": NamedContext(remote="https://h/one.txt")}
    image = await bench.build("FROM base\nCOPY --from=code / /c\nCOPY --from=file /one.txt /", contexts=contexts)
    assert len(image.rootfs.diff_ids or ()) == 3
    assert bench.git.checked_out == ["1" * 40 + ":"]
    (noted,) = bench.cache.notes.values()
    assert [one.url for one in noted.repositories] == ["https://h/c.git#main"]
    assert [one.url for one in noted.urls] == ["https://h/one.txt"]
