"""Removal of a folder with all in it, however deep that is.

shutil.rmtree() holds a descriptor a level, and in Python 3.11 and 3.12 a call too. Containers and images may bring
trees that are deeper than either lasts.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: str | os.PathLike[str]) -> None:
    """Remove it.

    Raises:
        OSError: it is not there, or cannot be removed.
    """
    try:
        shutil.rmtree(path)
    except RecursionError:
        _remove_level_by_level(path)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        _remove_level_by_level(path)


def _remove_level_by_level(path: str | os.PathLike[str]) -> None:
    """What is left of it: each folder comes up to the top before the one that it is in goes."""
    top = os.open(path, _FOLDER)
    try:
        while names := _listed(top):
            for name in names:
                if not _unlinked(name, top):
                    _remove_folder(name, top)
    finally:
        os.close(top)
    Path(path).rmdir()


def _remove_folder(name: str, top: int) -> None:
    folder = os.open(name, _FOLDER, dir_fd=top)
    try:
        for inner in _listed(folder):
            if not _unlinked(inner, folder):
                os.rename(inner, secrets.token_hex(16), src_dir_fd=folder, dst_dir_fd=top)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)


def _listed(folder: int) -> list[str]:
    os.lseek(folder, 0, os.SEEK_SET)  # btrfs lists what there was when the descriptor was opened, or rewound
    return os.listdir(folder)


def _unlinked(name: str, folder: int) -> bool:
    """Whether it was no folder, and is gone."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:  # unlink(2) on Linux, where POSIX has EPERM
        return False
    return True
