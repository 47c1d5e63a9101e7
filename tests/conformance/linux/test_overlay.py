"""Overlays by descriptor and by path, idmapped and not, seen by nobody outside. In a child, which may unshare."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from zonehost.linux import mounts, namespaces, overlay

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

_FIRST = 1_900_000_000


def _in_private(work: Callable[[], None]) -> None:
    """Run in a child with a mount namespace of its own; fail as it fails."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            namespaces.unshare(namespaces.NEWNS)
            mounts.propagate("/", mounts.SLAVE | mounts.REC)
            work()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    for name in ("low", "high", "data/upper", "data/work", "scratch", "root"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "low/file").write_text("low")
    (tmp_path / "low/below").write_text("below")
    (tmp_path / "high/file").write_text("high")
    return tmp_path


def _identity() -> overlay.Identity:
    made = namespaces.make((_FIRST, 65536), net=False)
    os.waitpid(made.holder, 0)
    assert made.user is not None
    return overlay.Identity(made.user, _FIRST, _FIRST)


@pytest.mark.parametrize("by_path", [False, True])
@pytest.mark.parametrize("idmapped", [False, True])
def test_layers_lie_over_each_other_and_writes_go_on_top(trees: Path, by_path: bool, idmapped: bool) -> None:
    root = trees / "root"

    def work() -> None:
        if by_path:
            refuse_descriptors()
        identity = _identity() if idmapped else None
        fd = overlay.assemble(
            [str(trees / "low"), str(trees / "high")],
            str(trees / "data"),
            scratch=str(trees / "scratch"),
            identity=identity,
        )
        mounts.place(fd, str(root))
        assert (root / "file").read_text() == "high"
        assert (root / "below").stat().st_uid == (_FIRST if idmapped else 0)
        with overlay.acting_as(identity):
            (root / "made").write_text("made")

    def refuse_descriptors() -> None:
        new = mounts.new

        def as_on_6_12(kind: str, options: list[mounts.Option], *, attributes: int = 0) -> int:
            if any(isinstance(value, int) for _, value in options):
                raise OSError(9, "Bad file descriptor")
            return new(kind, options, attributes=attributes)

        mounts.new = as_on_6_12  # type: ignore[assignment]

    _in_private(work)
    assert (trees / "data/upper/made").stat().st_uid == 0
    assert not list(root.iterdir())


def test_no_layers_are_an_empty_one(trees: Path) -> None:
    def work() -> None:
        fd = overlay.assemble([], str(trees / "data"), scratch=str(trees / "scratch"))
        mounts.place(fd, str(trees / "root"))
        assert not list((trees / "root").iterdir())

    _in_private(work)


def test_without_a_writable_part_it_is_read_only(trees: Path) -> None:
    def work() -> None:
        for layers in (["low"], ["low", "high"]):
            (trees / "scratch" / str(len(layers))).mkdir()
            fd = overlay.assemble(
                [str(trees / layer) for layer in layers], None, scratch=str(trees / "scratch" / str(len(layers)))
            )
            mounts.place(fd, str(trees / "root"))
            assert (trees / "root/below").read_text() == "below"
            with pytest.raises(OSError, match="Read-only file system"):
                (trees / "root/made").touch()

    _in_private(work)


def test_what_the_kernel_refuses_is_told_in_its_words(trees: Path) -> None:
    def work() -> None:
        with pytest.raises(mounts.MountRefused, match="overlay"):
            mounts.new("overlay", [("no_such_option", "1")])

    _in_private(work)
