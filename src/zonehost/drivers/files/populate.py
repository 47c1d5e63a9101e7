"""Copy-up: an empty volume gets what the image has at its mount point, with owners, attributes and hard links."""

from __future__ import annotations

import os
import posixpath
from typing import Final

from zonehost.drivers.files.view import INSIDE
from zonehost.errors import SystemFailure
from zonehost.linux.openat import open_below
from zonehost.tar.entry import Entry
from zonehost.tar.extract import Extractor
from zonehost.tar.scan import Scanner, reading
from zonehost.tar.tree import Tree

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def populate(image: int, path: str, destination: str) -> None:
    """Copy a directory of the image into an empty directory of the host; its own owner, mode and time too.

    Nothing happens if the image has no directory there, or the destination is not empty. The umask is to be 0.

    Raises:
        OSError: the disk or the kernel failed.
    """
    target = os.open(destination, _FOLDER)
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
    for file in scanner.walk(source):
        with reading(file) as content:
            extractor.put(file.member.name, file.member, content)
    if (top := scanner.find(source, b".", b"")) is not None:
        extractor.put(b"", top.member, ())
    extractor.finish()
    tree.close()


def _occupied(holder: int, where: bytes, base: bytes, is_folder: bool, member: Entry) -> None:
    raise SystemFailure(f"someone else writes into the volume that is being filled: {os.fsdecode(member.name)}")
