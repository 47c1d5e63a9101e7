"""Trees are removed that are deeper than Python's stack, and than a process may have files open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zonehost.linux.tree_removal import remove_tree

_DEPTH = 3000


def dig(top: Path) -> None:
    """A folder in a folder, with a file and a link beside each; the path of the last is longer than PATH_MAX."""
    top.mkdir()
    folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(_DEPTH):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        os.symlink("/", "link", dir_fd=folder)
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)


def test_a_deep_tree_is_removed_whole(tmp_path: Path) -> None:
    dig(tmp_path / "top")
    remove_tree(tmp_path / "top")
    assert not list(tmp_path.iterdir())


def test_what_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        remove_tree(tmp_path / "nothing")
