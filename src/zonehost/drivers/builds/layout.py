"""From chosen files to the archive of a layer: where each goes over the base, under which directories, whose it is.

A directory that the base has is named again as the base has it, so that the layer changes no more than it should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from zonehost.domain.path_patterns import PatternList
from zonehost.drivers.builds.archives import members_of
from zonehost.drivers.builds.choose import Source, below
from zonehost.drivers.builds.owners import find_owner, with_mode
from zonehost.drivers.builds.trees import Item, SourceTree, follow
from zonehost.errors import InvalidParameter
from zonehost.ports.build_files import Placement
from zonehost.tar import block, entry, pax, writer
from zonehost.tar.entry import Entry, relative, shown

Content = Callable[[], Iterable[memoryview]]
_NEW_FOLDER = Entry(name=b"", kind=entry.DIRECTORY, mode=0o755)


class Layout:
    """Writes one layer's archive over a base."""

    def __init__(self, base: SourceTree, placement: Placement) -> None:
        self._base = base
        self._placement = placement
        self._owner = find_owner(base, placement.owner) if placement.owner else None
        self._made: set[bytes] = set()
        self._folders: dict[bytes, bool] = {b"": True}

    def folder(self) -> Iterator[bytes]:
        """The archive of a layer that has the destination as a directory."""
        yield from self._ensure(self._resolve(), _NEW_FOLDER)
        yield writer.END

    def copies(
        self, groups: list[tuple[SourceTree, list[Source]]], files: list[Source], exclude: PatternList
    ) -> Iterator[bytes]:
        """The archive of a layer with these sources of trees, and files of the build itself.

        Raises:
            InvalidParameter: a file cannot go where it should.
        """
        destination = self._resolve()
        standing = self._base.find(destination)
        into = (
            self._placement.destination.endswith("/")
            or sum(len(sources) for _, sources in groups) + len(files) > 1
            or (standing is not None and standing.member.kind == entry.DIRECTORY)
        )
        for tree, source in ((tree, source) for tree, sources in groups for source in sources):
            for folder in source.above:
                yield from self._ensure(_join(destination, folder.name), self._owned(folder, tree.owned))
            target = _join(destination, source.kept)
            if source.is_folder:
                yield from self._ensure(target, self._owned(source.top.member, tree.owned))
                for name, item in below(tree, source, exclude):
                    yield from self._nested(tree, source, target, name, item)
            else:
                yield from self._single(source, destination, into, tree.owned, self._placement.unpack)
        for file in files:
            yield from self._single(file, destination, into, False, self._placement.unpack_files)
        yield writer.END

    def _single(self, source: Source, destination: bytes, into: bool, owned: bool, unpack: bool) -> Iterator[bytes]:
        members = members_of(source.top.content) if unpack and source.top.member.kind == entry.REGULAR else None
        if members is not None:
            yield from self._ensure(destination, _NEW_FOLDER)
            for member, content in members:
                yield from self._unpacked(destination, member, content)
            return
        if source.above or source.kept:
            target = _join(destination, source.kept)
        else:
            target = _join(destination, source.name) if into else destination
        yield from self._file(target, self._owned(source.top.member, owned), source.top.content)

    def _nested(self, tree: SourceTree, source: Source, target: bytes, name: bytes, item: Item) -> Iterator[bytes]:
        path = _join(target, name)
        if item.member.kind == entry.HARD_LINK:
            link = _join(target, item.member.link)
            if link in self._made:
                yield from self._emit(path, msgspec.structs.replace(item.member, link=link), ())
                return
            # What it links to was excluded: it is a file of its own.
            alone = tree.find(_join(source.path, name))
            if alone is None:
                return
            item = alone
        member = self._owned(item.member, tree.owned)
        if member.kind == entry.DIRECTORY:
            yield from self._overwrite(path, member)
        else:
            yield from self._file(path, member, item.content)

    def _unpacked(self, destination: bytes, member: Entry, content: Content) -> Iterator[bytes]:
        name = relative(member.name)
        path = _join(destination, name)
        owned = self._owned(member, True)
        if member.kind == entry.DIRECTORY:
            if name:
                yield from self._overwrite(path, owned)
        elif member.kind == entry.HARD_LINK:
            yield from self._emit(
                path, msgspec.structs.replace(owned, link=_join(destination, relative(member.link))), ()
            )
        else:
            yield from self._file(path, owned, content)

    def _file(self, path: bytes, member: Entry, content: Content) -> Iterator[bytes]:
        yield from self._parents(path)
        if self._is_folder(path):
            raise InvalidParameter(f"cannot overwrite directory /{shown(path)} with a file")
        yield from self._emit(path, member, content())

    def _overwrite(self, path: bytes, member: Entry) -> Iterator[bytes]:
        """A directory that takes on the source's metadata, whether the base has it or not."""
        yield from self._parents(path)
        standing = self._base.find(path) if self._is_folder(path.rpartition(b"/")[0]) else None
        if standing is not None and standing.member.kind != entry.DIRECTORY:
            raise InvalidParameter(f"cannot copy to non-directory: /{shown(path)}")
        self._folders[path] = standing is not None
        yield from self._emit(path, member, ())

    def _parents(self, path: bytes) -> Iterator[bytes]:
        parent = path.rpartition(b"/")[0]
        if parent and parent not in self._made:
            yield from self._ensure(parent, _NEW_FOLDER)

    def _ensure(self, path: bytes, otherwise: Entry) -> Iterator[bytes]:
        """A directory as the base has it, or else as `otherwise` says."""
        if not path or path in self._made:
            return
        yield from self._parents(path)
        standing = self._base.find(path)
        if standing is None:
            self._folders[path] = False
            if otherwise is _NEW_FOLDER:
                otherwise = self._owned(otherwise, False)
            yield from self._emit(path, otherwise, ())
        elif standing.member.kind == entry.DIRECTORY:
            self._folders[path] = True
            yield from self._emit(path, standing.member, ())
        else:
            raise InvalidParameter(f"cannot copy to non-directory: /{shown(path)}")

    def _is_folder(self, path: bytes) -> bool:
        """Whether the base has a directory there. Below what the base has not, it need not be asked."""
        known = self._folders.get(path)
        if known is None:
            known = self._is_folder(path.rpartition(b"/")[0])
            if known:
                standing = self._base.find(path)
                known = standing is not None and standing.member.kind == entry.DIRECTORY
                if known:
                    self._folders[path] = True
        return known

    def _owned(self, member: Entry, owned: bool) -> Entry:
        uid, gid = self._owner or ((member.uid, member.gid) if owned else (0, 0))
        return with_mode(msgspec.structs.replace(member, uid=uid, gid=gid), self._placement.mode)

    def _emit(self, path: bytes, member: Entry, content: Iterable[memoryview]) -> Iterator[bytes]:
        if path.rpartition(b"/")[2].startswith(b".wh."):
            raise InvalidParameter(f"a layer cannot hold a file whose name begins with .wh.: /{shown(path)}")
        self._made.add(path)
        epoch = self._placement.epoch
        time = member.mtime if epoch is None else min(member.mtime, epoch * pax.SECOND)
        named = msgspec.structs.replace(member, name=path, mtime=time, extents=None)
        yield writer.header(named)
        yield from map(bytes, content)
        yield bytes(block.padding(named.size))

    def _resolve(self) -> bytes:
        """The real path of the destination: links that the base has are followed, the rest is to be made.

        Links in a circle lead nowhere: what is written there meets the first of them.
        """
        path = self._placement.destination.strip("/").encode()
        real = follow(self._base, path, missing=True)
        return path if real is None else real


def _join(folder: bytes, name: bytes) -> bytes:
    return b"%s/%s" % (folder, name) if folder and name else folder or name
