"""What a layer takes from the layers below it, kept as a small layer of its own.

An archive may name `etc/motd` without naming `etc`: what the directory is like, the layers below say. And it may hold
a hard link to a file that only they have. A layer is stored once for all images, so what depends on the layers below
is kept apart, once for each stack of them, and mounted right above the layer.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from zonehost.drivers.layers import whiteouts
from zonehost.drivers.layers.pack import read_facts
from zonehost.drivers.layers.staging import TREE, Facts
from zonehost.errors import InvalidParameter
from zonehost.linux import libc, overlay
from zonehost.linux.openat import BENEATH, NO_SYMLINKS, open_below
from zonehost.linux.scratch import privately
from zonehost.tar import entry
from zonehost.tar.entry import Entry, shown
from zonehost.tar.extract import Extractor
from zonehost.tar.scan import Found, Scanner, reading
from zonehost.tar.tree import Tree

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def depends(facts: Facts) -> bool:
    """Whether the layer takes anything from those below it."""
    return bool(facts.implied or facts.links)


def complete(layer: str, below: Sequence[str], folder: str) -> bool:
    """Write into the new `folder` what the layer in the folder `layer` takes from the trees below it, lowest first.

    False if that is nothing. Changes the process's mount namespace; its umask is to be 0.

    Raises:
        InvalidParameter: a hard link leads to a file that no layer has.
        OSError: the disk or the kernel failed.
    """
    stage, tree = Path(folder, "stage"), Path(folder, TREE)
    for path in (Path(folder), stage, tree):
        path.mkdir(mode=0o755)
    privately(str(stage))
    for name in ("nothing", "below", "shown"):
        (stage / name).mkdir()
    # With one tree alone there would be no overlay, and its whiteouts would be seen as files.
    lower = [f"{stage}/nothing", *below]
    own = f"{layer}/{TREE}"
    with ExitStack() as opened:
        views = _Views(
            below=overlay.assemble(lower, None, scratch=f"{stage}/below"),
            own=os.open(own, _FOLDER),
            shown=overlay.assemble([*lower, own], None, scratch=f"{stage}/shown"),
        )
        target = os.open(tree, _FOLDER)
        for fd in (*views, target):
            opened.callback(os.close, fd)
        needed = _Completion(read_facts(layer), views, Tree(target)).write()
        libc.call("syncfs", target)
    if not needed:
        tree.rmdir()
    return needed


class _Views(NamedTuple):
    """Descriptors of what the layers below make together, of the layer's tree, and of both together."""

    below: int
    own: int
    shown: int


class _Completion:
    def __init__(self, facts: Facts, views: _Views, tree: Tree) -> None:
        self._facts = facts
        self._views = views
        self._implied = frozenset(facts.implied)
        self._made: set[bytes] = set()
        self._copies: dict[bytes, bytes] = {}
        self._scanner = Scanner()
        self._extractor = Extractor(tree, _refuse)

    def write(self) -> bool:
        for path in self._facts.implied:
            if self._folder(self._views.below, path) is not None:
                self._make_folders(path)
        for name, target in self._facts.links:
            if not self._exists(self._views.own, name):  # else a later member took the link's place
                self._link(name, target)
        self._extractor.finish()
        return bool(self._made)

    def _make_folders(self, path: bytes) -> None:
        """Every directory down to `path`, as the layer has it, or those below if the layer only implies it."""
        parts = path.split(b"/") if path else []
        for count in range(1, len(parts) + 1):
            part = b"/".join(parts[:count])
            if part in self._made:
                continue
            self._made.add(part)
            below = self._folder(self._views.below, part)
            own = self._folder(self._views.own, part)
            member = below if own is None or (part in self._implied and below is not None) else own
            if member is None:
                raise InvalidParameter(f"the layer has a hard link below {shown(part)}, which is not a directory")
            self._extractor.put(part, member, ())

    def _folder(self, root: int, path: bytes) -> Entry | None:
        with self._found(root, path) as found:
            if found is None or found.member.kind != entry.DIRECTORY:
                return None
            if root != self._views.own:
                return whiteouts.escaped(found.member)
            kept = {name: value for name, value in found.member.xattrs.items() if name != whiteouts.OPAQUE_XATTR}
            return msgspec.structs.replace(found.member, xattrs=kept)

    def _link(self, name: bytes, target: bytes) -> None:
        """A hard link to what the layers below have. Under its own name that file is left out if the layer hides it."""
        self._make_folders(name.rpartition(b"/")[0])
        copy = self._copies.get(target)
        if copy is None:
            hidden = self._exists(self._views.own, target) or not self._exists(self._views.shown, target)
            copy = self._copies[target] = name if hidden else target
            self._copy(target, copy)
        if copy != name:
            self._made.add(name)
            self._extractor.put(name, Entry(name=name, kind=entry.HARD_LINK, link=copy), ())

    def _copy(self, target: bytes, copy: bytes) -> None:
        with self._found(self._views.below, target) as found:
            if found is None or found.member.kind == entry.DIRECTORY:
                raise InvalidParameter(f"the layer has a hard link to a file that no layer has: {shown(target)}")
            self._make_folders(copy.rpartition(b"/")[0])
            self._made.add(copy)
            member = whiteouts.escaped(found.member)
            if member.kind == entry.HARD_LINK:  # to another file that was copied before
                member = msgspec.structs.replace(member, link=self._copies[member.link])
            with reading(found) as content:
                self._extractor.put(copy, member, content)

    def _exists(self, root: int, path: bytes) -> bool:
        with _holder(root, path) as (holder, base):
            return holder is not None and _is_there(holder, base)

    @contextmanager
    def _found(self, root: int, path: bytes) -> Iterator[Found | None]:
        with _holder(root, path) as (holder, base):
            yield None if holder is None else self._scanner.find(holder, base, path)


@contextmanager
def _holder(root: int, path: bytes) -> Iterator[tuple[int | None, bytes]]:
    """The directory that a path is in, if there is one, and the last part of the path."""
    folder, _, base = path.rpartition(b"/")
    try:
        holder = open_below(root, folder, _FOLDER, BENEATH | NO_SYMLINKS)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        yield None, base
        return
    try:
        yield holder, base
    finally:
        os.close(holder)


def _is_there(holder: int, base: bytes) -> bool:
    try:
        os.stat(base, dir_fd=holder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _refuse(holder: int, where: bytes, base: bytes, is_folder: bool, member: Entry) -> None:
    raise InvalidParameter(f"the layer has a hard link in the place of another file: {shown(member.name)}")
