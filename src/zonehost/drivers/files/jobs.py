"""What the fork server runs for this driver; arguments and answers are JSON, descriptors as `linux.jobs` has them."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from zonehost.drivers.files import changes as differences
from zonehost.drivers.files import populate as copy_up
from zonehost.drivers.files import view
from zonehost.drivers.files.paths import ZonePath, status
from zonehost.drivers.files.read import copied, exported
from zonehost.drivers.files.write import unpack
from zonehost.linux import accounts
from zonehost.linux.answering import answering, incoming
from zonehost.ports.files import ZoneTree
from zonehost.tar.extract import write as write_all
from zonehost.tar.writer import gathered


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of all jobs; each takes what it needs."""

    tree: ZoneTree
    stage: str
    """An empty folder of the host, to be mounted over in private."""
    path: str = ""
    destination: str = ""
    below: str = ""
    keep_kinds: bool = False
    user: str = ""


def _root(work: Work, *, writable: bool = False) -> int:
    return view.live(work.tree) if work.tree.pid else view.stopped(work.tree, work.stage, writable=writable)


@answering
def stat(arguments: Any, fds: list[int]) -> Any:
    """What is at a path."""
    work = msgspec.convert(arguments, Work)
    return msgspec.to_builtins(status(_root(work), ZonePath(work.tree, work.path)))


@answering
def read(arguments: Any, fds: list[int]) -> None:
    """A tar of what is at a path, to the descriptor."""
    work = msgspec.convert(arguments, Work)
    for chunk in gathered(copied(_root(work), ZonePath(work.tree, work.path))):
        write_all(fds[0], memoryview(chunk))


@answering
def export(arguments: Any, fds: list[int]) -> None:
    """A tar of the root, to the descriptor."""
    work = msgspec.convert(arguments, Work)
    for chunk in gathered(exported(view.written(work.tree, work.stage))):
        write_all(fds[0], memoryview(chunk))


@answering
def write(arguments: Any, fds: list[int]) -> None:
    """Unpack the archive that comes through the descriptor."""
    work = msgspec.convert(arguments, Work)
    os.umask(0)
    root = _root(work, writable=True)
    path = ZonePath(work.tree, work.path)
    account = accounts.find(root, work.user) if work.user else None
    owner = (account.uid, account.gid) if account else None
    unpack(root, path, incoming(fds), keep_kinds=work.keep_kinds, owner=owner)


@answering
def changes(arguments: Any, fds: list[int]) -> Any:
    """What differs from the image."""
    work = msgspec.convert(arguments, Work)
    image = view.image(work.tree, work.stage)
    return msgspec.to_builtins(differences.changes(f"{work.tree.root.dataset}/root/upper", image))


@answering
def populate(arguments: Any, fds: list[int]) -> None:
    """Fill an empty directory of the host from the image."""
    work = msgspec.convert(arguments, Work)
    os.umask(0)
    image = view.image(work.tree, work.stage)
    copy_up.populate(image, work.path, work.destination, work.below, work.tree.root.layers)


@answering
def size(arguments: Any, fds: list[int]) -> int:
    """Bytes that the zone has written."""
    work = msgspec.convert(arguments, Work)
    return differences.size(f"{work.tree.root.dataset}/root/upper")
