"""What base images are made of."""

from __future__ import annotations

import io
import sys
import tarfile

import pytest

from zonehost.cli import recipes
from zonehost.cli.bootstrap import split_name
from zonehost.cli.endpoint import Endpoint
from zonehost.errors import InvalidParameter, SystemFailure, Unavailable


def test_busybox_is_an_archive_with_a_shell_and_users() -> None:
    said: list[str] = []
    content = b"".join(recipes.busybox(said.append))
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getmember("bin/busybox").mode == 0o755
        assert archive.getmember("bin/sh").linkname == "busybox"
        assert archive.getmember("tmp").mode == 0o1777
        users = archive.extractfile("etc/passwd")
        assert users is not None
        assert users.read().startswith(b"root:x:0:0:")
        groups = archive.extractfile("etc/group")
        assert groups is not None
        assert {b"wheel", b"audio", b"staff"} <= {line.partition(b":")[0] for line in groups}
    assert len(said) == 1
    assert content == b"".join(recipes.busybox(said.append))


@pytest.mark.parametrize(("suite", "package"), [("../x", "bash"), ("bookworm", "--hook"), ("", "bash"), ("x", "a b")])
def test_names_that_are_none_are_refused(suite: str, package: str) -> None:
    with pytest.raises(InvalidParameter):
        next(recipes.debian(suite, [package], print))


def test_a_commands_output_is_streamed_and_its_messages_reported() -> None:
    said: list[str] = []
    script = "import sys; print('working', file=sys.stderr); print('x' * 600_000)"
    assert len(b"".join(recipes._stream([sys.executable, "-c", script], said.append))) == 600_001
    assert said == ["working"]


def test_a_command_that_fails_is_told_with_its_last_words() -> None:
    script = "import sys; sys.exit('no such suite')"
    with pytest.raises(SystemFailure, match="status 1:\nno such suite"):
        list(recipes._stream([sys.executable, "-c", script], print))


def test_a_reader_that_leaves_ends_the_command() -> None:
    stream = recipes._stream([sys.executable, "-c", "while True: print('x' * 1000)"], lambda _: None)
    next(stream)
    stream.close()


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("busybox", ("busybox", "latest")),
        ("debian:bookworm", ("debian", "bookworm")),
        ("host:5000/a", ("host:5000/a", "latest")),
        ("host:5000/a:1", ("host:5000/a", "1")),
    ],
)
def test_a_name_is_split_at_its_tag(name: str, parts: tuple[str, str]) -> None:
    assert split_name(name) == parts


def test_only_sockets_are_spoken_to() -> None:
    with pytest.raises(InvalidParameter, match="tcp://"):
        Endpoint("tcp://127.0.0.1:1")


def test_a_daemon_that_is_not_there_is_named() -> None:
    with pytest.raises(Unavailable, match="/nowhere"):
        list(Endpoint("unix:///nowhere").post("/", []))
