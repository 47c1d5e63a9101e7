"""Builds that read git repositories, by the classic endpoint and by BuildKit's; `zonehost stale` of what they made."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import docker.errors
import pytest

from tests.conformance.git.repositories import TIME, Repository, Server, served
from tests.integration.rig import COMMAND, Daemon
from tests.integration.test_buildx import Buildx, buildx_in, nothing_is_left

SECONDS = 120
DOCKERFILE = "FROM busybox\nCOPY . /context/\nRUN cat /context/file; ls -a /context; stat -c 'time %Y' /context/file\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "served").mkdir()
    with served(tmp_path / "served") as server:
        yield server


@pytest.fixture
def repository(server: Server) -> Repository:
    repository = Repository.make(server.folder, "app.git")
    repository.commit({"Dockerfile": DOCKERFILE, "file": "one\n", "sub/Dockerfile": DOCKERFILE, "sub/file": "below\n"})
    return repository


@pytest.fixture
def buildx(daemon: Daemon, tmp_path: Path) -> Buildx:
    return buildx_in(tmp_path, daemon)


def test_contexts_by_the_classic_endpoint(daemon: Daemon, server: Server, repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.commit({"file": "two\n"}, tag="v2")
    # The command clones by itself; the SDK lets the daemon do it.
    with contextlib.closing(docker.DockerClient(base_url=f"unix://{daemon.endpoint}")) as sdk:

        def said(path: str, **options: object) -> list[str]:
            _, messages = sdk.images.build(path=f"{server.url}/{path}", nocache=True, rm=True, **options)
            return "".join(message.get("stream", "") for message in messages).splitlines()

        assert {"two", "sub", f"time {TIME}"} < set(said("app.git"))
        assert ".git" not in said("app.git")
        assert "one" in said(f"app.git#{first}")
        assert "below" in said("app.git#refs/tags/v2:sub")
        assert ".git" in said("app.git#main", buildargs={"BUILDKIT_CONTEXT_KEEP_GIT_DIR": "1"})
        for path, words in (
            ("app.git#absent", "does not contain ref absent"),
            ("app.git#main:absent", "has no directory absent"),
            ("app.git?x=1", 'unexpected query "x"'),
        ):
            with pytest.raises(docker.errors.APIError, match=words):
                said(path)
    assert nothing_is_left(daemon)


def test_contexts_and_named_contexts_by_buildkit(buildx: Buildx, server: Server, repository: Repository) -> None:
    repository.commit({"file": "two\n"}, tag="v2")
    done = buildx("buildx", "build", "--no-cache", "--progress", "plain", f"{server.url}/app.git#main:sub")
    assert done.status == 0, done.err
    assert f"[internal] load git source {server.url}/app.git#main:sub" in done.err
    assert " below\n" in done.err
    by_query = f"{server.url}/app.git?branch=main&subdir=sub"
    done = buildx("buildx", "build", "--no-cache", "--progress", "plain", by_query)
    assert done.status == 0, done.err
    assert " below\n" in done.err
    named = f"code={server.url}/app.git?branch=main"
    done = buildx.build(
        "FROM busybox\nCOPY --from=code /file /\nRUN cat /file\nRUN --mount=from=code,target=/m cat /m/sub/file\n",
        "--build-context", named,
    )  # fmt: skip
    assert done.status == 0, done.err
    assert " two\n" in done.err
    assert " below\n" in done.err
    assert nothing_is_left(buildx.daemon)


def test_a_login_is_asked_of_the_client(buildx: Buildx, server: Server, repository: Repository) -> None:
    server.login = "x-access-token:t0ken"
    dockerfile = f"FROM busybox\nADD --keep-git-dir {server.url}/app.git#main /src\nRUN cat /src/file\n"
    refused = buildx.build(dockerfile)
    assert refused.status == 1
    assert "could not read Username" in refused.err
    (buildx.folder / "token").write_text("t0ken\n")
    done = buildx.build(dockerfile, "--secret", "id=GIT_AUTH_TOKEN,src=token", "--tag", "private")
    assert done.status == 0, done.err
    assert " one\n" in done.err
    saved = subprocess.run(
        ["docker", "save", "private"], env=buildx.environment, capture_output=True, timeout=SECONDS, check=True
    )
    assert b"t0ken" not in saved.stdout
    assert b"eC1hY2Nlc3MtdG9rZW46" not in saved.stdout, "nor in base 64"
    assert nothing_is_left(buildx.daemon)


def test_files_added_from_git(daemon: Daemon, server: Server, repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"file": "two\n", "run.sh": "#!/bin/sh\n"}, tag="v2")
    context = tmp_path / "context"
    context.mkdir()
    (context / "local").write_text("local\n")
    (context / "Dockerfile").write_text(
        f"FROM busybox\nADD {server.url}/app.git#v2:sub /sub\nADD --keep-git-dir=true {server.url}/app.git /kept\n"
        f"ADD --chown=7:8 --exclude=sub local {server.url}/app.git#main /both/\n"
        f"ADD --checksum={commit} {server.url}/app.git#main /pinned\n"
        "RUN ls -a /sub /both; cat /kept/.git/HEAD; stat -c '%n %u:%g' /both/file /kept/file\n"
    )
    said = daemon.docker("build", "--no-cache", ".", cwd=context).splitlines()
    assert {commit, "/both/file 7:8", "/kept/file 0:0", "local", "run.sh"} < set(said)
    assert "sub" not in said
    before = server.fetches
    again = daemon.docker("build", ".", cwd=context)
    assert again.count("Using cache") == 5
    assert server.fetches == before, "a list of refs tells the commit"
    (context / "Dockerfile").write_text(f"FROM busybox\nADD --checksum=aaaaaaa {server.url}/app.git#main /x\n")
    wrong = daemon.run("build", ".", cwd=context)
    assert f"expected checksum to match aaaaaaa, got {commit}" in wrong.out + wrong.err
    assert nothing_is_left(daemon)


def test_a_ref_that_moved_is_stale(daemon: Daemon, server: Server, repository: Repository, tmp_path: Path) -> None:
    first = repository.git("rev-parse", "HEAD")
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(
        f"FROM busybox\nADD {server.url}/app.git#main /a\nADD {server.url}/app.git#{first} /b\n"
    )

    def stale() -> list[tuple[str, str]]:
        command = [str(COMMAND), "stale", "--json", "from-git"]
        done = subprocess.run(command, env=daemon.environment, capture_output=True, timeout=SECONDS, check=False)
        return [(found["kind"], found["detail"]) for found in json.loads(done.stdout) if found["kind"] != "package"]

    daemon.docker("build", "-t", "from-git", ".", cwd=context)
    assert stale() == []
    second = repository.commit({"file": "two\n"})
    assert stale() == [("git", f"moved from {first} to {second}")]
    daemon.docker("build", "-t", "from-git", ".", cwd=context)
    assert stale() == []
