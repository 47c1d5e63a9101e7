"""`docker build` with the real command: the language, the flags, the cache, failures, and what is left of them."""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import os
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import docker
import docker.errors
import pytest

from tests.integration.inventory import storage_roots
from tests.integration.rig import Daemon, Result

LANGUAGE = """\
# syntax=docker/dockerfile:1
ARG BASE=busybox
FROM $BASE AS tools
ARG NAME=nobody
RUN echo "made for ${NAME}" > /greeting && mkdir -p /out/deep && echo x > /out/deep/file && ln -s deep/file /out/link

FROM busybox AS second
COPY --from=tools --chown=7:8 /out /copied/
RUN <<EOF
set -e
echo one > /lines
echo two >> /lines
EOF
COPY <<EOF /documents/expanded
home is ${PATH:+set}
EOF
COPY <<'EOF' /documents/plain
home is $PATH
EOF
RUN --mount=type=cache,target=/cache,id=test echo run >> /cache/count && wc -l < /cache/count > /count
RUN --mount=type=bind,source=src,target=/mnt --mount=type=tmpfs,target=/scratch cp /mnt/main.txt /scratch/ && \\
    cp /scratch/main.txt /from-bind
RUN --mount=from=tools,source=/out,target=/g cat /g/link > /from-stage
RUN --network=none ls /sys/class/net > /interfaces
ADD archive.tar.gz /unpacked/
COPY --chmod=0640 src/main.txt /modes/
COPY --parents src/deep/*.txt /parents/
COPY --exclude=*.log . /all/
COPY --from=tools /greeting /
WORKDIR relative
WORKDIR below
ENV PATH=/extra:$PATH
LABEL of="this"
EXPOSE 80 443/udp
VOLUME /data
STOPSIGNAL SIGUSR1
HEALTHCHECK --interval=5s CMD true
USER 7
ENTRYPOINT ["cat"]
CMD ["/greeting"]
"""


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A context with files that are copied, and files that are ignored."""
    folder = tmp_path / "context"
    (folder / "src/deep").mkdir(parents=True)
    (folder / "src/main.txt").write_text("main\n")
    (folder / "src/deep/a.txt").write_text("a\n")
    (folder / "noise.log").write_text("noise\n")
    (folder / "ignored").write_text("ignored\n")
    (folder / ".dockerignore").write_text("ignored\n")
    with tarfile.open(folder / "archive.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("in/file")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"in\n"))
    return folder


def build(daemon: Daemon, folder: Path, dockerfile: str, *options: str) -> Result:
    (folder / "Dockerfile").write_text(dockerfile)
    return daemon.run("build", *options, ".", cwd=folder)


def built(daemon: Daemon, folder: Path, dockerfile: str, *options: str) -> str:
    result = build(daemon, folder, dockerfile, *options)
    assert result.status == 0, result.out + result.err
    return result.out


def inside(daemon: Daemon, image: str, command: str) -> str:
    return daemon.docker("run", "--rm", "--entrypoint", "/bin/sh", "--user", "0", image, "-c", command)


def test_the_language(daemon: Daemon, context: Path) -> None:
    built(daemon, context, LANGUAGE, "-t", "language", "--build-arg", "NAME=ada")
    assert daemon.docker("run", "--rm", "language") == "made for ada"
    seen = inside(
        daemon,
        "language",
        "cat /lines /documents/expanded /documents/plain /count /from-bind /from-stage /interfaces /unpacked/in/file;"
        "stat -c '%a %u:%g' /modes/main.txt /copied/deep/file; readlink /copied/link; ls /all /parents/src/deep; pwd",
    )
    assert seen.splitlines() == [
        "one", "two", "home is set", "home is $PATH", "1", "main", "x", "lo", "in",
        "640 0:0", "644 7:8", "deep/file",
        "/all:", "Dockerfile", "archive.tar.gz", "src", "", "/parents/src/deep:", "a.txt",
        "/relative/below",
    ]  # fmt: skip
    config = daemon.docker("inspect", "--format", "{{json .Config}}", "language")
    for part in ('"80/tcp"', '"443/udp"', '"/data"', '"SIGUSR1"', '"of":"this"', '"User":"7"', "/extra:"):
        assert part in config


def test_contexts_at_an_address(daemon: Daemon, context: Path, tmp_path: Path) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nCOPY src/main.txt /\nRUN cat /main.txt\n")
    (context / "Other").write_text("FROM busybox\nRUN echo alone\n")
    subprocess.run(["tar", "-C", str(context), "-czf", str(tmp_path / "context.tar.gz"), "."], check=True, timeout=60)
    shutil.copy(context / "Other", tmp_path / "plain")
    served = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            # The command fetches contexts itself; the SDK lets the daemon do it.
            with contextlib.closing(docker.DockerClient(base_url=f"unix://{daemon.endpoint}")) as sdk:

                def said(path: str, **options: str) -> str:
                    _, messages = sdk.images.build(path=f"{address}/{path}", nocache=True, **options)  # rm: no
                    return "".join(message.get("stream", "") for message in messages)

                assert "\nmain\n" in said("context.tar.gz")
                assert "\nalone\n" in said("context.tar.gz", dockerfile="Other")
                assert "\nalone\n" in said("plain")
                with pytest.raises(docker.errors.APIError, match="404"):
                    said("absent")
                with pytest.raises(docker.errors.APIError, match="git repository"):
                    said("absent.git")
        finally:
            server.shutdown()


def test_mounts_that_a_command_may_write_to(daemon: Daemon, context: Path) -> None:
    dockerfile = (
        "FROM busybox AS low\nRUN mkdir /seed && echo seed > /seed/f && chown 7 /seed/f\nFROM busybox\n"
        "RUN --mount=source=src,target=/m,rw echo more >> /m/main.txt && cat /m/main.txt && echo new > /m/deep/new\n"
        "RUN --mount=from=low,source=/seed/f,target=/one,rw echo written > /one && cat /one && stat -c owner=%u /one\n"
        "RUN --mount=source=src,target=/m ls /m/deep /one 2>&1; cat /m/main.txt\n"
        "RUN --mount=type=cache,from=low,source=/seed,target=/c,id=seeded echo again >> /c/f && cat /c/f\n"
        "RUN --mount=type=cache,from=low,source=/seed,target=/c,id=seeded echo third >> /c/f && cat /c/f\n"
    )
    lines = built(daemon, context, dockerfile, "--no-cache").splitlines()
    said = [line for line in lines if not line.startswith(("Step", " ---", "Remov", "Succ"))]
    shown = [line for line in said if line and not line.startswith(("DEPRECATED", "Sending"))]
    assert shown == [
        "main", "more", "written", "owner=7",
        "ls: /one: No such file or directory", "/m/deep:", "a.txt", "main",
        "seed", "again", "seed", "again", "third",
    ]  # fmt: skip


def test_triggers_run_in_the_next_build(daemon: Daemon, context: Path) -> None:
    built(daemon, context, "FROM busybox\nONBUILD COPY src/main.txt /triggered", "-t", "parent")
    output = built(daemon, context, "FROM parent\n", "-t", "child")
    assert "# Executing 1 build trigger" in output
    assert inside(daemon, "child", "cat /triggered") == "main"


def test_an_argument_without_a_value_is_named_where_none_asks_for_it(daemon: Daemon, context: Path) -> None:
    options = ("--build-arg", "NOBODY_HAS_SET", "--build-arg", "KNOWN")
    output = built(daemon, context, "FROM busybox\nARG KNOWN=1\nRUN echo known=$KNOWN", *options)
    assert "[Warning] One or more build-args [NOBODY_HAS_SET] were not consumed" in output
    assert "known=1" in output


def test_a_second_build_is_from_the_cache_and_is_the_same_image(daemon: Daemon, context: Path) -> None:
    dockerfile = "FROM busybox\nRUN date +%N > /time\nCOPY src /src\nRUN ls /src > /list\n"
    first = built(daemon, context, dockerfile, "-q")
    (context / "unrelated").write_text("new")
    os.utime(context / "src/main.txt", (5, 5))
    output = built(daemon, context, dockerfile)
    assert output.count("---> Using cache") == 3
    assert "all that it reads is unchanged" in output
    assert built(daemon, context, dockerfile, "-q") == first
    (context / "src/main.txt").write_text("changed\n")
    assert built(daemon, context, dockerfile).count("---> Using cache") == 1
    assert built(daemon, context, dockerfile, "--no-cache").count("---> Using cache") == 0


def test_flags(daemon: Daemon, context: Path, tmp_path: Path) -> None:
    commands = "cat /etc/hosts; df -k /dev/shm; ulimit -n; ls /sys/class/net"
    identity = tmp_path / "id"
    output = built(
        daemon, context, f"FROM busybox AS a\nRUN {commands}\nFROM nope-image\n",
        "--target", "a", "--add-host", "other:192.0.2.7", "--shm-size", "32m", "--ulimit", "nofile=100:100",
        "--network", "none", "--label", "x=y", "--iidfile", str(identity), "-t", "one", "-t", "two:2",
        "--memory", "64m", "--platform", "linux/amd64",
    )  # fmt: skip
    for part in ("192.0.2.7\tother", "32768", "\n100\n", "LABEL x=y", "Successfully tagged two:2"):
        assert part in output
    assert daemon.docker("inspect", "-f", "{{.Id}} {{.Config.Labels.x}}", "one") == f"{identity.read_text()} y"


def test_contexts_from_standard_input(daemon: Daemon) -> None:
    assert "Successfully built" in daemon.docker("build", "-", stdin="FROM busybox\nRUN true\n")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, text in (("other.Dockerfile", b"FROM busybox\nCOPY f /f\n"), ("f", b"content\n")):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    daemon.docker("build", "-t", "piped", "-f", "other.Dockerfile", "-", stdin=data.getvalue())
    assert inside(daemon, "piped", "cat /f") == "content"


def test_a_command_that_fails_gives_its_code(daemon: Daemon, context: Path) -> None:
    result = build(daemon, context, "FROM busybox\nRUN echo before; exit 41\nRUN never\n")
    assert result.status == 41
    assert "before" in result.out
    assert "The command '/bin/sh -c echo before; exit 41' returned a non-zero code: 41" in result.err
    assert " 2 | RUN echo before; exit 41\n   | ^" in result.err
    assert daemon.docker("ps", "-aq") == ""


@pytest.mark.parametrize(
    ("dockerfile", "reason"),
    [
        ("FROM busybox\nRUNN x\n", "dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)"),
        ("FROM busybox\nCOPY --frm=x a b\n", "unknown flag: --frm (did you mean --from?)"),
        ("FROM busybox\nCOPY nope /\n", "stat nope: file does not exist"),
        ("FROM busybox\nCOPY ignored /\n", "excluded by .dockerignore"),
        ("FROM 127.0.0.1:1/nope\n", "127.0.0.1"),
        ("FROM busybox\nUSER nobody-here\nRUN true\n", "unable to find user nobody-here"),
        (" \n", "file with no instructions"),
    ],
)
def test_mistakes_are_told(daemon: Daemon, context: Path, dockerfile: str, reason: str) -> None:
    result = build(daemon, context, dockerfile)
    assert result.status != 0
    assert reason in result.err
    assert daemon.docker("ps", "-aq") == ""


def test_a_client_that_goes_away_ends_its_build(daemon: Daemon, context: Path) -> None:
    _begin_long_build(daemon, context).kill()
    _eventually(lambda: daemon.docker("ps", "-aq") == "")
    _eventually(lambda: _left(daemon) == [])


def test_a_daemon_that_is_killed_leaves_no_build(new_daemon: Callable[..., Daemon], context: Path) -> None:
    daemon = new_daemon()
    daemon.zonehost("bootstrap", "busybox")
    client = _begin_long_build(daemon, context)
    daemon.kill()
    client.wait()
    daemon.start()
    assert daemon.docker("ps", "-aq") == ""
    assert _left(daemon) == []


def test_an_epoch_gives_the_same_image_on_another_daemon(
    daemon: Daemon, new_daemon: Callable[..., Daemon], context: Path
) -> None:
    dockerfile = "FROM scratch\nCOPY src /src\nWORKDIR /w\nCOPY archive.tar.gz /a/\nENV X=1\n"
    options = ("--build-arg", "SOURCE_DATE_EPOCH=1700000000", "-q")
    other = new_daemon()
    assert built(daemon, context, dockerfile, *options) == built(other, context, dockerfile, *options)


def test_independent_stages_run_at_once(daemon: Daemon, context: Path) -> None:
    """Each stage waits for all: none ends unless they run at the same time."""
    mount = f"--mount=type=cache,id={context.parent.name},target=/c"
    wait = "until [ -e /c/0 -a -e /c/1 -a -e /c/2 ]; do sleep 0.1; done"
    stages = "".join(f"FROM busybox AS s{one}\nRUN {mount} touch /c/{one}; {wait}\n" for one in range(3))
    copies = "".join(f"COPY --from=s{one} /bin/busybox /{one}\n" for one in range(3))
    built(daemon, context, f"{stages}FROM busybox\n{copies}")


def test_what_a_command_spoke_to_is_known(daemon: Daemon, context: Path) -> None:
    gateway = daemon.docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "bridge")
    with socket.create_server((gateway, 0)) as server:
        port = server.getsockname()[1]
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        dockerfile = f"FROM busybox\nRUN nc {gateway} {port} </dev/null; true\n"
        built(daemon, context, dockerfile)
    output = built(daemon, context, dockerfile)
    assert f"it asked outside ({gateway}:{port}), and no age is too old" in output
    output = built(daemon, context, dockerfile, "--build-arg", "ZONEHOST_FRESH=0s")
    assert "---> Not using cache: made" in output


def test_an_image_of_this_host_needs_no_registry(daemon: Daemon, context: Path) -> None:
    daemon.docker("tag", "busybox", "127.0.0.1:1/here:1")
    built(daemon, context, "FROM 127.0.0.1:1/here:1\nRUN true\n", "--pull")
    missing = build(daemon, context, "FROM 127.0.0.1:1/not-here:1\n", "--pull")
    daemon.docker("rmi", "127.0.0.1:1/here:1")
    assert missing.status == 1
    assert "127.0.0.1:1" in missing.err


def test_the_cache_can_be_pruned(daemon: Daemon, context: Path) -> None:
    built(daemon, context, "FROM busybox AS a\nRUN echo big > /big\nFROM busybox\nRUN true\n")
    assert "Total reclaimed space" in daemon.docker("builder", "prune", "--all", "--force")
    assert "Using cache" not in built(daemon, context, "FROM busybox\nRUN true\n")


def _begin_long_build(daemon: Daemon, context: Path) -> subprocess.Popen[bytes]:
    """A build that is in the middle of a command."""
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo begun; sleep 1000\n")
    client = subprocess.Popen(
        ["docker", "build", "."], cwd=context, env=daemon.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert client.stdout is not None
    assert any(line == b"begun\n" for line in client.stdout)
    assert client.poll() is None
    return client


def _left(daemon: Daemon) -> list[Path]:
    """What is left of builds; the folder for them is there."""
    folders = [path for root in storage_roots(daemon.instance) for path in root.glob("builds")]
    assert folders
    return [path for folder in folders for path in folder.glob("[0-9a-f]" * 64)]


def _eventually(condition: Callable[[], bool]) -> None:
    for _ in range(100):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come true in 10 s")
