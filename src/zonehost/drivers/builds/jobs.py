"""What the fork server runs for this driver; arguments and answers are JSON, descriptors as `linux.jobs` has them."""

from __future__ import annotations

import base64
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from zonehost.domain.path_patterns import PatternList
from zonehost.drivers.builds import choose, index
from zonehost.drivers.builds.archives import is_archive
from zonehost.drivers.builds.choose import Source
from zonehost.drivers.builds.layout import Layout
from zonehost.drivers.builds.trees import DiskTree, IndexTree, Item, SourceTree
from zonehost.errors import InvalidParameter
from zonehost.linux import overlay
from zonehost.linux.answering import answering, incoming
from zonehost.linux.scratch import privately
from zonehost.linux.tree_removal import remove_tree
from zonehost.ports.build_files import LARGEST_DOCKERFILE, Placement, Selection
from zonehost.tar import block, entry, writer
from zonehost.tar.entry import Entry, relative
from zonehost.tar.extract import Extractor, write
from zonehost.tar.reader import Bounds, Reader
from zonehost.tar.scan import Found, reading
from zonehost.tar.source import Source as Stream
from zonehost.tar.tree import Tree

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of all jobs but `receive`; each uses what it needs. `scratch` is an empty folder to mount on."""

    folder: str
    scratch: str
    selection: Selection = Selection()
    placement: Placement | None = None
    names: tuple[str, ...] = ()


@answering
def receive(arguments: Any, fds: list[int]) -> None:
    """Keep a context."""
    index.keep(incoming(fds), arguments["folder"], msgspec.convert(arguments["bounds"], Bounds))


@answering
def read(arguments: Any, fds: list[int]) -> dict[str, str]:
    """Small files of the context, by path, in base 64."""
    work = msgspec.convert(arguments, Work)
    tree = _context(work.folder, PatternList(()))
    read: dict[str, str] = {}
    for name in work.names:
        found = choose.find_file(tree, name)
        if found is not None and found.member.size > LARGEST_DOCKERFILE:
            raise InvalidParameter(f"{name} is larger than {LARGEST_DOCKERFILE} bytes")
        if found is not None:
            read[name] = base64.b64encode(b"".join(found.content())).decode()
    return read


@answering
def digest(arguments: Any, fds: list[int]) -> str:
    """A digest of what is selected."""
    work = msgspec.convert(arguments, Work)
    return choose.digest(_source(work), work.selection)


@answering
def copy(arguments: Any, fds: list[int]) -> None:
    """The archive of a layer with what is selected."""
    work = msgspec.convert(arguments, Work)
    assert work.placement is not None
    tree = _source(work)
    base = _tree(() if work.placement.link else work.placement.base, work.scratch, "base")
    groups = [(tree, choose.choose(tree, work.selection))]
    for number, folder in enumerate(work.selection.folders):
        other = _tree((folder,), work.scratch, f"folder-{number}")
        groups.append((other, choose.choose(other, Selection(trees=(folder,), paths=("/",)))))
    files = [_file(path, name) for path, name in work.selection.files]
    exclude = PatternList(work.selection.exclude)
    _send(fds[0], Layout(base, work.placement).copies(groups, files, exclude))


@answering
def make_folder(arguments: Any, fds: list[int]) -> str | None:
    """The archive of a layer with a folder, in base 64; None if the base has it."""
    work = msgspec.convert(arguments, Work)
    assert work.placement is not None
    base = _tree(work.placement.base, work.scratch, "base")
    if choose.is_folder(base, work.placement.destination):
        return None
    return base64.b64encode(b"".join(Layout(base, work.placement).folder())).decode()


@answering
def unpack(arguments: Any, fds: list[int]) -> None:
    """The context as a folder."""
    work = msgspec.convert(arguments, Work)
    os.umask(0)
    target = f"{work.folder}/{work.names[0]}"
    Path(target).mkdir(mode=0o755)
    root = os.open(target, _FOLDER)
    tree = Tree(root)
    extractor = Extractor(tree, _occupied, (0, 0))
    for item in _context(work.folder, PatternList(work.selection.ignore)).walk(b""):
        extractor.put(relative(item.member.name), item.member, item.content())
    extractor.finish()
    tree.close()
    os.close(root)


@answering
def extract(folder: Any, fds: list[int]) -> None:
    """An archive as a new folder."""
    os.umask(0)
    Path(folder).mkdir(mode=0o755, parents=True)
    root = os.open(folder, _FOLDER)
    tree = Tree(root)
    extractor = Extractor(tree, _occupied)
    reader = Reader(Stream(incoming(fds)), Bounds())
    for member in reader:
        extractor.put(relative(member.name), member, reader.content())
    extractor.finish()
    tree.close()
    os.close(root)


@answering
def as_context(arguments: Any, fds: list[int]) -> None:
    """The archive of a context: the file itself, or one that holds it."""
    path, name = arguments
    source = _file(path, name)
    content = (bytes(piece) for piece in source.top.content())
    if is_archive(source.top.content):
        _send(fds[0], content)
        return
    member = source.top.member
    ending = bytes(block.padding(member.size)) + writer.END
    _send(fds[0], itertools.chain((writer.header(member),), content, (ending,)))


@answering
def remove(folder: Any, fds: list[int]) -> None:
    """Remove a folder with all in it."""
    remove_tree(folder)


def _occupied(holder: int, where: bytes, base: bytes, is_folder: bool, member: Entry) -> None:
    raise InvalidParameter(f"the context has two files of one name: {entry.shown(member.name)}")


def _source(work: Work) -> SourceTree:
    if work.selection.trees is not None:
        return _tree(work.selection.trees, work.scratch, "source")
    return _context(work.folder, PatternList(work.selection.ignore))


def _context(folder: str, ignore: PatternList) -> IndexTree:
    archive = os.open(f"{folder}/{index.ARCHIVE}", os.O_RDONLY | os.O_CLOEXEC)
    return IndexTree(index.read_index(folder), archive, ignore)


def _tree(trees: tuple[str, ...], scratch: str, name: str) -> DiskTree:
    """Layer trees as one, read-only; the process gets a mount namespace of its own the first time."""
    covered = Path(scratch, "covered")
    if not covered.exists():
        privately(scratch)
        covered.mkdir()
    place = covered / name
    place.mkdir()
    if len(trees) == 1:
        # Alone there would be no overlay, and whiteouts of the tree would be seen as files.
        (place / "nothing").mkdir(mode=0o755)
        trees = (f"{place}/nothing", *trees)
    (place / "mounts").mkdir()
    return DiskTree(overlay.assemble(trees, None, scratch=f"{place}/mounts"))


def _file(path: str, name: str) -> Source:
    """A file of the build itself."""
    status = Path(path).stat()
    member = Entry(name=os.fsencode(name), mode=status.st_mode & 0o7777, size=status.st_size, mtime=status.st_mtime_ns)

    def content() -> Iterator[memoryview]:
        holder = os.open(Path(path).parent, _FOLDER)
        try:
            with reading(Found(member, holder, os.fsencode(Path(path).name))) as pieces:
                yield from pieces
        finally:
            os.close(holder)

    return Source(os.fsencode(name), b"", Item(member, content, lambda: b""))


def _send(fd: int, pieces: Iterator[bytes]) -> None:
    """Write small pieces in large ones."""
    batch = bytearray()
    for piece in pieces:
        batch += piece
        if len(batch) >= 1 << 18:
            write(fd, memoryview(batch))
            batch = bytearray()
    write(fd, memoryview(batch))
