"""`docker buildx build`, `docker build` with the plugin, bake, and Compose's build, on the daemon directly."""

from __future__ import annotations

import functools
import http.server
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.inventory import storage_roots
from tests.integration.rig import Daemon, Result

SCRIPT = Path(__file__).parents[2] / "scripts" / "docker-plugin"
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Buildx:
    """`docker` with the plugins, in one folder."""

    daemon: Daemon
    folder: Path
    environment: dict[str, str]
    program: str = "docker"

    def __call__(self, *words: str, stdin: bytes = b"") -> Result:
        done = subprocess.run(
            [self.program, *words],
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            timeout=SECONDS,
        )
        text = (done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        return Result(" ".join(words), done.returncode, *text)

    def write(self, dockerfile: str) -> None:
        (self.folder / "Dockerfile").write_text(dockerfile)

    def build(self, dockerfile: str, *options: str) -> Result:
        self.write(dockerfile)
        return self("buildx", "build", "--progress", "plain", *options, ".")

    def built(self, dockerfile: str, *options: str) -> str:
        """What a build that succeeds says."""
        result = self.build(dockerfile, *options)
        assert result.status == 0, result.out + result.err
        return result.err


def plugin(name: str) -> Path:
    found = subprocess.run([SCRIPT, name, "--find"], capture_output=True, text=True, timeout=SECONDS)
    if found.returncode:
        pytest.skip(f"no docker-{name}: `scripts/docker-plugin {name}` builds it where there is Go")
    return Path(found.stdout.strip())


@pytest.fixture
def buildx(daemon: Daemon, tmp_path: Path) -> Buildx:
    return buildx_in(tmp_path, daemon)


def buildx_in(tmp_path: Path, daemon: Daemon) -> Buildx:
    """The command with the plugin, in a folder of its own below `tmp_path`."""
    config = tmp_path / "config"
    (config / "cli-plugins").mkdir(parents=True)
    (config / "cli-plugins" / "docker-buildx").symlink_to(plugin("buildx"))
    folder = tmp_path / "context"
    folder.mkdir()
    environment = {**daemon.environment, "DOCKER_CONFIG": str(config)}
    del environment["DOCKER_BUILDKIT"]
    return Buildx(daemon, folder, environment)


def nothing_is_left(daemon: Daemon) -> bool:
    """Whether no file and no zone of a build is there any more."""
    left = [*daemon.instance.run_root.glob("builds/*")]
    for root in storage_roots(daemon.instance):
        left += [path for path in root.glob("builds/*") if path.name not in ("caches", "scratch")]
    return not left and daemon.docker("ps", "--all", "--quiet") == ""


def becomes(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_build_of_several_stages(buildx: Buildx) -> None:
    (buildx.folder / "sub").mkdir()
    (buildx.folder / "sub" / "file").write_text("content\n")
    (buildx.folder / "sub" / "link").symlink_to("file")
    (buildx.folder / "große datei").write_bytes(os.urandom(3 << 20))
    (buildx.folder / "ignored").write_text("ignored\n")
    (buildx.folder / ".dockerignore").write_text("ignored\n")
    said = buildx.built(
        "FROM busybox AS first\nARG WORD\nRUN echo $WORD > /word\n"
        "FROM busybox\nCOPY --chmod=0600 . /context/\nCOPY --from=first /word /\nWORKDIR /here\nENV A=1\n"
        "RUN cat /word /context/sub/link; grep -o gate /etc/hosts; ls /context; pwd\n"
        "RUN stat -c %s:%a '/context/große datei'\n",
        "--build-arg", "WORD=hello", "--label", "l=v", "--add-host", "gate:host-gateway", "--no-cache",
        "--tag", "made:1", "--tag", "made:2",
    )  # fmt: skip
    assert "[first 1/2] FROM docker.io/library/busybox:latest" in said
    assert "[first 2/2] RUN echo $WORD > /word" in said
    assert "[stage-1 5/6] RUN cat" in said
    for line in (
        "hello",
        "gate",
        "content",
        "Dockerfile",
        "3145728:600",
        "/here",
        "naming to docker.io/library/made:2",
    ):
        assert f" {line}" in said
    assert "ignored\n" not in said
    inspected = json.loads(buildx.daemon.docker("inspect", "made:1", "made:2"))
    assert inspected[0]["Id"] == inspected[1]["Id"]
    assert inspected[0]["Config"]["Labels"] == {"l": "v"}
    assert nothing_is_left(buildx.daemon)


def test_what_was_done_before_is_cached_and_says_why(buildx: Buildx) -> None:
    (buildx.folder / "a").write_text("1")
    dockerfile = "FROM busybox AS one\nCOPY a /\nFROM one\nRUN echo second"
    buildx.built(dockerfile)
    said = buildx.built(dockerfile)
    assert said.count(" CACHED") == 2
    assert "all that it reads is unchanged" in said
    (buildx.folder / "a").write_text("2")
    assert " CACHED" not in buildx.built(dockerfile)
    assert buildx.built(dockerfile, "--no-cache-filter", "one").count(" CACHED") == 1


def test_the_same_image_as_by_the_classic_endpoint(buildx: Buildx) -> None:
    (buildx.folder / "a").write_text("1")
    options = ("--build-arg", "SOURCE_DATE_EPOCH=1000", "--iidfile")
    buildx.built("FROM busybox\nCOPY a /x/\nENV A=1\nRUN true\n", *options, "new")
    buildx.daemon.docker("build", *options, "old", ".", cwd=buildx.folder)
    assert (buildx.folder / "new").read_text() == (buildx.folder / "old").read_text()


def test_a_secret_reaches_its_command_and_nothing_else(buildx: Buildx) -> None:
    (buildx.folder / "key").write_text("s3cret\n")
    (buildx.folder / ".dockerignore").write_text("key\n")
    said = buildx.built(
        "FROM busybox\n"
        "RUN --mount=type=secret,id=key,mode=0440,uid=7 cat /run/secrets/key; stat -c '%a %u' /run/secrets/key\n"
        "RUN --mount=type=secret,id=key,target=/k wc -c < /k; test ! -e /run\n"
        "RUN --mount=type=secret,id=absent test ! -e /run/secrets\n"
        "RUN --mount=type=secret,id=key,env=KEY test ${#KEY} = 7 && test ! -e /run\n"
        'RUN --mount=type=secret,id=key,env=KEY,target=/k test "${KEY%?}" = "$(cat /k)" && echo both\n'
        'RUN --mount=type=secret,id=absent,env=KEY test -z "${KEY+set}"\n',
        "--secret", "id=key,src=key", "--tag", "secretive",
    )  # fmt: skip
    assert " s3cret" in said
    assert " 440 7" in said
    saved = subprocess.run(
        ["docker", "save", "secretive"], env=buildx.environment, capture_output=True, timeout=SECONDS, check=True
    )
    assert b"s3cret" not in saved.stdout
    assert " both\n" in said
    state = list(buildx.daemon.instance.data_root.glob("state*"))
    assert state
    assert not any(b"s3cret" in path.read_bytes() for path in (*state, buildx.daemon.log))
    missing = buildx.build("FROM busybox\nRUN --mount=type=secret,id=absent,required true\n")
    assert missing.status == 1
    assert "secret absent: not found" in missing.err
    assert nothing_is_left(buildx.daemon)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """An ssh agent at a socket."""
    path = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL) as process:
        try:
            assert becomes(path.exists)
            yield path
        finally:
            process.terminate()


def test_the_clients_ssh_agent(buildx: Buildx, agent: Path) -> None:
    listed = subprocess.run(["ldd", "/usr/bin/ssh-add"], capture_output=True, text=True, check=True, timeout=SECONDS)
    libraries = [word for word in listed.stdout.split() if word.startswith("/")]
    for path in ("/usr/bin/ssh-add", *libraries):
        shutil.copy(path, buildx.folder)
    loader = next(Path(path).name for path in libraries if "ld-" in path)
    said = buildx.built(
        f"FROM busybox\nCOPY . /tools/\n"
        "RUN --mount=type=ssh stat -c %a:%u $SSH_AUTH_SOCK; "
        f"/tools/{loader} --library-path /tools /tools/ssh-add -l || true\n"
        'RUN --mount=type=ssh,id=other test -z "$SSH_AUTH_SOCK"\n',
        "--ssh", f"default={agent}",
    )  # fmt: skip
    assert " 600:0" in said
    assert " The agent has no identities." in said
    assert nothing_is_left(buildx.daemon)


def test_a_failure_shows_the_line(buildx: Buildx) -> None:
    failed = buildx.build("FROM busybox\nRUN true\nRUN echo words && exit 3\n")
    assert failed.status == 1
    assert "Dockerfile:3" in failed.err
    assert "   3 | >>> RUN echo words && exit 3" in failed.err
    words = 'process "/bin/sh -c echo words && exit 3" did not complete successfully: exit code: 3'
    assert f"ERROR: failed to build: failed to solve: {words}" in failed.err
    wrong = buildx.build("FROM busybox\n\nRUM true\n")
    assert "   3 | >>> RUM true" in wrong.err
    assert "unknown instruction: RUM (did you mean RUN?)" in wrong.err
    unknown = buildx.build("FROM busybox\nCOPY nothing /\n", "--target", "")
    assert "   2 | >>> COPY nothing /" in unknown.err
    assert buildx.build("FROM busybox\n", "--target", "other").err.count("target stage") == 1
    assert nothing_is_left(buildx.daemon)


def test_a_tree_and_an_archive_for_the_client(buildx: Buildx) -> None:
    (buildx.folder / "file").write_text("content\n")
    dockerfile = "FROM scratch\nCOPY --chmod=0751 file /deep/er/\nCOPY file /a-b\nCOPY file /a/x\n"
    buildx.built(dockerfile, "--output", "type=local,dest=../out")
    out = buildx.folder.parent / "out"
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*")) == [
        "a", "a-b", "a/x", "deep", "deep/er", "deep/er/file",
    ]  # fmt: skip
    assert (out / "deep/er/file").read_text() == "content\n"
    assert (out / "deep/er/file").stat().st_mode & 0o777 == 0o751
    buildx.built("FROM busybox\nRUN ln -s /bin/sh /link && ln /bin/busybox /hard", "--output", "type=local,dest=../big")
    big = buildx.folder.parent / "big"
    assert (big / "link").readlink() == Path("/bin/sh")
    assert (big / "hard").samefile(big / "bin/busybox")
    buildx.built(dockerfile, "--output", "type=tar,dest=../out.tar")
    with tarfile.open(buildx.folder.parent / "out.tar") as archive:
        assert archive.extractfile("deep/er/file").read() == b"content\n"  # type: ignore[union-attr]
    assert nothing_is_left(buildx.daemon)


def test_contexts_that_come_otherwise(buildx: Buildx) -> None:
    """A Dockerfile or a whole context from the input, a Dockerfile elsewhere, more contexts by name."""
    (buildx.folder / "file").write_text("content\n")
    done = buildx("build", "--quiet", "-f", "-", ".", stdin=b"FROM scratch\nCOPY file /\n")
    assert done.status == 0, done.err
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, data in (("Named", b"FROM scratch\nCOPY x /\n"), ("x", b"x")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    done = buildx("build", "--quiet", "-f", "Named", "-", stdin=context.getvalue())
    assert done.status == 0, done.err
    elsewhere = buildx.folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "Dockerfile").write_text(
        "FROM given\nCOPY --from=tree file /here\nRUN --mount=from=tree,target=/t cat /here /t/file; ls /t\n"
    )
    (elsewhere / "Dockerfile.dockerignore").write_text("*\n")
    tree = buildx.folder.parent / "tree"
    tree.mkdir()
    (tree / "file").write_text("of the tree\n")
    (tree / "ignored").write_text("")
    (tree / ".dockerignore").write_text("ignored\n")
    done = buildx(
        "buildx", "build", "--progress", "plain", "-f", "../elsewhere/Dockerfile", ".",
        "--build-context", "given=docker-image://busybox", "--build-context", "tree=../tree",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert done.err.count(" of the tree") == 2
    assert " ignored" not in done.err
    assert nothing_is_left(buildx.daemon)


def test_a_context_at_an_address(buildx: Buildx) -> None:
    (buildx.folder / "file").write_text("content\n")
    buildx.write("FROM busybox\nCOPY file /\nRUN cat /file\n")
    served = buildx.folder.parent / "served"
    served.mkdir()
    archive = ["tar", "-C", str(buildx.folder), "-cJf", str(served / "c.tar.xz"), "."]
    subprocess.run(archive, check=True, timeout=SECONDS)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            done = buildx("buildx", "build", "--progress", "plain", f"{address}/c.tar.xz")
            assert done.status == 0, done.err
            assert " content\n" in done.err
            assert "git repository" in buildx("buildx", "build", f"{address}/absent.git").err
        finally:
            server.shutdown()
    assert nothing_is_left(buildx.daemon)


def test_targets_of_one_bake_share_and_stand_on_each_other(buildx: Buildx) -> None:
    (buildx.folder / "file").write_text("content\n")
    targets = {
        "low": {"dockerfile-inline": "FROM busybox\nCOPY file /\nENV LOW=yes\nRUN sleep 0.1", "tags": ["low"]},
        "high": {
            "dockerfile-inline": "FROM under\nRUN echo $LOW; cat /file",
            "contexts": {"under": "target:low"},
            "tags": ["high"],
        },
    }
    (buildx.folder / "bake.json").write_text(json.dumps({"target": targets}))
    done = buildx("buildx", "bake", "-f", "bake.json", "--progress", "plain", "low", "high")
    assert done.status == 0, done.err
    assert " yes\n" in done.err
    assert " content\n" in done.err
    low, high = json.loads(buildx.daemon.docker("inspect", "low", "high"))
    assert high["RootFS"]["Layers"][: len(low["RootFS"]["Layers"])] == low["RootFS"]["Layers"]
    assert nothing_is_left(buildx.daemon)


def test_who_gives_up_leaves_nothing(buildx: Buildx) -> None:
    buildx.write("FROM busybox\nRUN echo begun; sleep 1000\n")
    for sign in (signal.SIGINT, signal.SIGKILL):
        with subprocess.Popen(
            ["docker", "buildx", "build", "--progress", "plain", "."],
            cwd=buildx.folder,
            env=buildx.environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as client:
            assert client.stderr is not None
            for line in client.stderr:
                if line.rstrip().endswith("begun") and "RUN" not in line:
                    break
            assert len(buildx.daemon.docker("ps", "--quiet").split()) == 1
            os.killpg(client.pid, sign)
            client.stderr.read()
        assert becomes(lambda: nothing_is_left(buildx.daemon))


def test_what_cannot_be_obeyed_is_refused_by_name(buildx: Buildx) -> None:
    for options, words in (
        (("--platform", "linux/amd64,linux/arm64"), "Multi-platform build is not supported"),
        (("--output", "type=oci,dest=x"), "OCI exporter is not supported"),
        (("--attest", "type=sbom"), "Attestation is not supported"),
        (("--cache-to", "type=local,dest=x"), "Cache export is not supported"),
        (("--check",), "the request frontend.lint is not supported"),
        (("--build-arg", "BUILDKIT_SYNTAX=x/y"), "the frontend gateway.v0 is not supported"),
    ):
        result = buildx.build("FROM busybox\n", *options)
        assert result.status == 1, options
        assert words in result.err, result.err
    assert nothing_is_left(buildx.daemon)


def test_the_builder_and_its_cache(buildx: Buildx) -> None:
    assert "docker" in buildx("buildx", "ls").out
    assert "linux/" in buildx("buildx", "inspect").out
    buildx.built("FROM busybox\nRUN echo for the cache > /f\n")
    assert "Reclaimable" in buildx("buildx", "du").out
    pruned = buildx("buildx", "prune", "--all", "--force")
    assert pruned.status == 0
    assert "Total:" in pruned.out
    assert " CACHED" not in buildx.built("FROM busybox\nRUN echo for the cache > /f\n")


def test_docker_build_takes_the_plugin_and_falls_back_without(buildx: Buildx) -> None:
    buildx.write("FROM busybox\nRUN true\n")
    new = buildx("build", "--progress", "plain", "--no-cache", ".")
    assert new.status == 0
    assert "exporting to image" in new.err
    (Path(buildx.environment["DOCKER_CONFIG"]) / "cli-plugins" / "docker-buildx").unlink()
    old = buildx("build", ".")
    if "exporting to image" in old.err:
        pytest.skip("docker finds buildx elsewhere too")
    assert old.status == 0
    assert "Successfully built" in old.out


def test_compose_builds(buildx: Buildx) -> None:
    """With the plugin by bake, without it by itself, and by the classic endpoint where that is asked for."""
    plugins = Path(buildx.environment["DOCKER_CONFIG"]) / "cli-plugins"
    (plugins / "docker-compose").symlink_to(plugin("compose"))
    project = {
        "services": {
            "low": {"build": {"context": ".", "args": {"WORD": "given"}}, "image": "low"},
            "high": {
                "build": {
                    "context": ".",
                    "dockerfile_inline": "FROM low-service\nRUN cat /word > /again\n",
                    "additional_contexts": {"low-service": "service:low"},
                },
                "command": "cat /again",
            },
        }
    }
    (buildx.folder / "compose.yaml").write_text(json.dumps(project))
    buildx.write("FROM busybox\nARG WORD\nRUN echo $WORD > /word\n")
    done = buildx("compose", "--progress", "plain", "build")
    assert done.status == 0, done.out + done.err
    assert "given\n" in buildx("compose", "run", "--rm", "high").out
    (plugins / "docker-buildx").unlink()
    for variable in ({}, {"DOCKER_BUILDKIT": "0"}):
        environment = {**buildx.environment, **variable}
        again = subprocess.run(
            ["docker", "compose", "build", "low"], cwd=buildx.folder, env=environment, capture_output=True, timeout=90
        )
        assert again.returncode == 0, again.stderr
    assert nothing_is_left(buildx.daemon)


@pytest.fixture
def old(daemon: Daemon, tmp_path: Path) -> Buildx:
    """docker 20.10, which speaks BuildKit's protocol by itself."""
    said = subprocess.run(["/usr/bin/docker", "--version"], capture_output=True, text=True, timeout=SECONDS)
    if "version 20.10" not in said.stdout:
        pytest.skip("docker 20.10 is not installed")
    environment = {**daemon.environment, "DOCKER_CONFIG": str(tmp_path)}
    del environment["DOCKER_BUILDKIT"]
    (tmp_path / "context").mkdir()
    return Buildx(daemon, tmp_path / "context", environment, "/usr/bin/docker")


def test_docker_20_10_builds(old: Buildx) -> None:
    (old.folder / "file").write_text("content\n")
    (old.folder / "key").write_text("s3cret\n")
    old.write("FROM busybox\nARG W\nCOPY file /\nRUN --mount=type=secret,id=k cat /file /run/secrets/*; echo $W\n")
    done = old("build", "--progress", "plain", "--secret", "id=k,src=key", "--build-arg", "W=word", "-t", "x:1", ".")
    assert done.status == 0, done.err
    for line in ("content", "s3cret", "word"):
        assert f" {line}\n" in done.err
    again = old("build", "--quiet", "--build-arg", "W=word", ".")
    assert again.out.strip() == old.daemon.docker("images", "--quiet", "--no-trunc", "x:1")
    context = io.BytesIO()
    # docker 20.10 takes an archive that begins with an extended header for a Dockerfile.
    with tarfile.open(fileobj=context, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(old.folder, ".")
    assert old("build", "-", stdin=context.getvalue()).status == 0
    assert old("build", "--output", "out", ".").status == 0
    assert (old.folder / "out" / "file").read_text() == "content\n"
    old.write("FROM busybox\nRUN exit 4\n")
    failed = old("build", ".")
    assert failed.status == 1
    assert 'process "/bin/sh -c exit 4" did not complete successfully: exit code: 4' in failed.err
    assert nothing_is_left(old.daemon)


def test_docker_20_10_gives_up(old: Buildx) -> None:
    old.write("FROM busybox\nRUN echo begun; sleep 1000\n")
    command = [old.program, "build", "--progress", "plain", "."]
    with subprocess.Popen(command, cwd=old.folder, env=old.environment, stderr=subprocess.PIPE, text=True) as client:
        assert client.stderr is not None
        assert any(line.endswith(" begun\n") for line in client.stderr)
        client.send_signal(signal.SIGINT)
        assert "context canceled" in client.stderr.read()
    assert becomes(lambda: nothing_is_left(old.daemon))
