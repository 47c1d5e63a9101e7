"""A layer being written, aside, until it is whole."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec

from zonehost.domain.image import Layer
from zonehost.drivers.layers import skeleton, whiteouts
from zonehost.errors import InvalidParameter
from zonehost.linux.boot import boot_id
from zonehost.linux.tree_removal import remove_tree
from zonehost.linux.writeback import Writeback
from zonehost.tar import entry
from zonehost.tar.entry import Entry, relative, shown
from zonehost.tar.extract import Extractor
from zonehost.tar.tree import Tree

TREE: Final = "tree"
SKELETON: Final = "skeleton.zst"
FACTS: Final = "facts.json"
REPLACED: Final = "replaced"
SAFE: Final = "safe"
"""Written when all of the layer is on the disk, with the facts in it a second time."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a layer besides its files. Paths are relative to its tree."""

    layer: Layer
    boot: str = ""
    """The run of the machine in which the layer was written (`linux.boot`)."""
    implied: tuple[bytes, ...] = ()
    """Directories that the archive did not name itself: what they are like, the layers below say."""
    links: tuple[tuple[bytes, bytes], ...] = ()
    """Hard links to files that only the layers below have: name and target."""
    replaced: tuple[tuple[bytes, int], ...] = ()
    """Paths whose file the archive itself replaced later, and how many contents it had had by then. The first one's
    file is `replaced/0`."""


class Staging:
    """Takes in members of an archive. What is not finished is removed when it is left."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        Path(folder).mkdir(mode=0o700)
        Path(folder, TREE).mkdir()
        Path(folder, TREE).chmod(0o755)
        self._root = os.open(f"{folder}/{TREE}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._tree = Tree(self._root)
        self._writeback = Writeback()
        self._extractor = Extractor(self._tree, self._make_room, written=self._writeback.begin)
        self._skeleton = skeleton.Writer(f"{folder}/{SKELETON}")
        self.note = self._skeleton.note
        self._whiteouts: list[bytes] = []
        self._links: list[tuple[bytes, bytes]] = []
        self._replaced: list[tuple[bytes, int]] = []
        self._size = 0
        self._finished = False

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writeback.close()
        self._skeleton.close()
        self._tree.close()
        os.close(self._root)
        if not self._finished:
            remove_tree(self._folder)

    def add(self, member: Entry, content: Iterable[memoryview]) -> None:
        """Put a member in its place.

        Raises:
            InvalidParameter: it cannot be.
            OSError: the disk or the kernel failed.
        """
        name = relative(member.name)
        if name.startswith(whiteouts.META_PREFIX) and name != whiteouts.OPAQUE:
            return
        base = name.rpartition(b"/")[2]
        if base.startswith(whiteouts.PREFIX):
            # A whiteout may stand before or after what the same layer puts in its place: it waits for the end.
            if base[len(whiteouts.PREFIX) :] in (b"", b".", b".."):
                raise InvalidParameter(f"the layer has a whiteout of nothing: {shown(name)}")
            self._whiteouts.append(name)
            return
        try:
            real = self._extractor.put(name, whiteouts.escaped(member), content)
        except FileNotFoundError:
            if member.kind != entry.HARD_LINK:
                raise
            self._extractor.clear(name, member)
            self._links.append((name, relative(member.link)))
            return
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise InvalidParameter(f"the layer has a name that is too long: {shown(name[:80])}…") from error
        self._size += member.size
        if member.stored:
            self._skeleton.content(real, ((0, member.size),) if member.extents is None else member.extents)

    def finish(self, diff_id: str, archive_size: int) -> Facts:
        """Write what was put off.

        Raises:
            InvalidParameter: a whiteout cannot be.
            OSError: the disk or the kernel failed.
        """
        for name in self._whiteouts:
            self._white_out(name)
        self._extractor.finish()
        self._writeback.finish()
        self._skeleton.close()
        facts = Facts(
            layer=Layer(diff_id=diff_id, size=self._size, archive_size=archive_size),
            boot=boot_id(),
            implied=tuple(self._tree.implied),
            links=tuple(self._links),
            replaced=tuple(self._replaced),
        )
        Path(self._folder, FACTS).write_bytes(msgspec.json.encode(facts))
        self._finished = True
        return facts

    def _white_out(self, name: bytes) -> None:
        holder, where, base = self._tree.parent(name)
        if base == whiteouts.OPAQUE:
            os.setxattr(self._tree.folder(where), whiteouts.OPAQUE_XATTR, b"y")
            return
        gone = base.removeprefix(whiteouts.PREFIX)
        try:
            os.mknod(gone, stat.S_IFCHR, os.makedev(0, 0), dir_fd=holder)
        except FileExistsError:
            # The layer has its own: it hides what is below by itself, but a directory would be merged with it.
            if stat.S_ISDIR(os.stat(gone, dir_fd=holder, follow_symlinks=False).st_mode):
                folder = self._tree.folder(b"%s/%s" % (where, gone) if where else gone)
                os.setxattr(folder, whiteouts.OPAQUE_XATTR, b"y")

    def _make_room(self, holder: int, where: bytes, base: bytes, is_folder: bool, member: Entry) -> None:
        mode = os.stat(base, dir_fd=holder, follow_symlinks=False).st_mode
        if not is_folder and not stat.S_ISREG(mode):
            os.unlink(base, dir_fd=holder)
            return
        kept = Path(self._folder, REPLACED)
        kept.mkdir(exist_ok=True)
        os.rename(base, kept / str(len(self._replaced)), src_dir_fd=holder)
        self._replaced.append((b"%s/%s" % (where, base) if where else base, self._skeleton.contents))
