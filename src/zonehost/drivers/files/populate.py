"""Copy-up: an empty volume gets what the image has at its mount point, with owners, attributes and hard links.

On btrfs and xfs the copies share the data of the layers, until either is written to.
"""

from __future__ import annotations

import fcntl
import os
import posixpath
from collections.abc import Sequence
from functools import partial
from typing import Final

from zonehost.drivers.files.view import INSIDE
from zonehost.errors import SystemFailure
from zonehost.linux.openat import BENEATH, NO_SYMLINKS, open_below
from zonehost.tar.entry import Entry
from zonehost.tar.extract import Extractor
from zonehost.tar.scan import Found, Scanner, reading
from zonehost.tar.tree import Tree

_CLONE: Final = 0x40049409
"""FICLONE (ioctl_ficlone(2))."""
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def populate(image: int, path: str, destination: str, below: str, layers: Sequence[str]) -> None:
    """Copy a directory of the image into an empty directory of the host, or one below it; its owner, mode and time too.

    `layers` are the trees that the image is made of, lowest first, whose data the copies share where they can.

    Nothing happens if the image has no directory there, or the destination is not empty, or what is `below` it is not
    there or a link that leads out. The umask is to be 0.

    Raises:
        OSError: the disk or the kernel failed.
    """
    target = os.open(destination, _FOLDER)
    if below:
        try:
            target = open_below(target, os.fsencode(below), _FOLDER, BENEATH)
        except OSError:
            return  # the start of the container tells it
    try:
        source = open_below(image, os.fsencode(posixpath.normpath(path)), _FOLDER, INSIDE)
    except (FileNotFoundError, NotADirectoryError):
        return
    with os.scandir(target) as found:
        if any(found):
            return
    scanner = Scanner()
    tree = Tree(target)
    extractor = Extractor(tree, _occupied)
    shared = _Layers(layers, os.fsencode(posixpath.normpath(path).strip("/")))
    for file in scanner.walk(source):
        with reading(file) as content:
            extractor.put(file.member.name, file.member, content, partial(shared.fill, file))
    shared.close()
    if (top := scanner.find(source, b".", b"")) is not None:
        extractor.put(b"", top.member, ())
    extractor.finish()
    tree.close()


class _Layers:
    """Finds the file of a layer that the image shows; the image itself, an overlay, cannot share data with others."""

    def __init__(self, layers: Sequence[str], below: bytes) -> None:
        self._trees = [os.open(layer, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for layer in reversed(layers)]
        self._below = below

    def fill(self, file: Found, target: int) -> bool:
        """Let a new file have the data of the layer's; whether that could be done."""
        shown = os.stat(file.base, dir_fd=file.holder, follow_symlinks=False)
        for tree in self._trees:
            try:
                source = open_below(tree, b"%s/%s" % (self._below, file.member.name), _FILE, BENEATH | NO_SYMLINKS)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                return False  # a link on the way: the image knows where it leads
            try:
                held = os.fstat(source)
                if (held.st_ino, held.st_size, held.st_mtime_ns) != (shown.st_ino, shown.st_size, shown.st_mtime_ns):
                    return False
                fcntl.ioctl(target, _CLONE, source)
                return True
            except OSError:
                return False  # another file system, or one that cannot share
            finally:
                os.close(source)
        return False

    def close(self) -> None:
        """Let go of the trees."""
        for tree in self._trees:
            os.close(tree)


def _occupied(holder: int, where: bytes, base: bytes, is_folder: bool, member: Entry) -> None:
    raise SystemFailure(f"someone else writes into the volume that is being filled: {os.fsdecode(member.name)}")
