"""Which files of a tree the sources of a COPY name, and what they are called below its destination.

Source: Docker's Dockerfile reference, COPY; wildcards are those of Go's path/filepath.Match.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from zonehost.domain.path_patterns import PatternList, translate
from zonehost.drivers.builds.trees import Item, SourceTree, follow
from zonehost.errors import InvalidParameter
from zonehost.ports.build_files import Selection
from zonehost.tar import entry
from zonehost.tar.entry import Entry

_WILD = re.compile(r"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that a source names: its last component, its real path, what is there.

    With --parents, `kept` is the path that it keeps, and `above` are the directories in that.
    """

    name: bytes
    path: bytes
    top: Item
    kept: bytes = b""
    above: tuple[Entry, ...] = ()

    @property
    def is_folder(self) -> bool:
        """Whether its content is what is copied."""
        return self.top.member.kind == entry.DIRECTORY


def choose(tree: SourceTree, selection: Selection) -> list[Source]:
    """What the sources name, in order.

    Raises:
        InvalidParameter: one names nothing, in Docker's words.
    """
    found: list[Source] = []
    for text in selection.paths:
        matched = list(_matches(tree, text, parents=selection.parents))
        if not matched and not _WILD.search(text):
            where = "build context or excluded by .dockerignore" if selection.trees is None else "the image"
            shown = posixpath.normpath(text).lstrip("/")
            raise InvalidParameter(f"COPY failed: file not found in {where}: stat {shown}: file does not exist")
        found += matched
    if selection.paths and not found and not (selection.files or selection.folders):
        raise InvalidParameter("COPY failed: no source files were specified")
    return found


def below(tree: SourceTree, source: Source, exclude: PatternList) -> Iterator[tuple[bytes, Item]]:
    """What is in a directory that is copied: names relative to it, and the files."""
    matches: dict[bytes, tuple[bool, ...]] = {b"": ()}
    start = len(source.path) + 1 if source.path else 0
    for item in tree.walk(source.path):
        name = item.member.name[start:]
        if exclude:
            excluded, which = exclude.walk(os.fsdecode(name), matches.get(name.rpartition(b"/")[0], ()))
            if item.member.kind == entry.DIRECTORY:
                matches[name] = which
            if excluded and not (item.member.kind == entry.DIRECTORY and exclude.any_negated):
                continue
        member = item.member
        if member.kind == entry.HARD_LINK:
            member = msgspec.structs.replace(member, link=member.link[start:])
            item = Item(member, item.content, item.digest)
        yield name, item


def digest(tree: SourceTree, selection: Selection) -> str:
    """A digest of all that is selected; times do not count, nor owners where they mean nothing."""
    hashed = hashlib.sha256()
    exclude = PatternList(selection.exclude)
    for source in choose(tree, selection):
        for above in source.above:
            hashed.update(_facts(above, above.name, tree.owned))
        name = source.kept or (b"" if source.is_folder else source.name)
        hashed.update(_facts(source.top.member, name, tree.owned))
        if not source.is_folder:
            hashed.update(source.top.digest())
            continue
        for nested, item in below(tree, source, exclude):
            hashed.update(_facts(item.member, nested, tree.owned))
            if item.member.kind == entry.REGULAR:
                hashed.update(item.digest())
    return hashed.hexdigest()


def _facts(member: Entry, name: bytes, owned: bool) -> bytes:
    owner = (member.uid, member.gid) if owned else ()
    device = member.device if member.kind in (entry.CHARACTER, entry.BLOCK_DEVICE) else ()
    return msgspec.msgpack.encode(
        (name, member.kind, member.mode, member.size, owner, member.link, device, sorted(member.xattrs.items()))
    )


def _matches(tree: SourceTree, text: str, *, parents: bool) -> Iterator[Source]:
    pivot, path = _split_pivot(text) if parents else ("", text)
    whole: tuple[bytes, ...] = ()
    for name in sorted(_glob(tree, b"", [*_parts(pivot), *_parts(path)], deep=parents)):
        real = follow(tree, name)
        top = tree.find(real) if real is not None else None
        if real is None or top is None or (whole and name.startswith(whole)):
            continue
        if parents and top.member.kind == entry.DIRECTORY:
            whole = (*whole, name + b"/")
        kept = name.split(b"/")[len(_parts(pivot)) :] if parents else []
        yield Source(name.rpartition(b"/")[2], real, top, b"/".join(kept), tuple(_above(tree, name, kept)))


def _split_pivot(text: str) -> tuple[str, str]:
    """With --parents, what stands before `/./` is not kept."""
    before, found, after = text.partition("/./")
    return (before, after) if found else ("", text)


def _above(tree: SourceTree, name: bytes, kept: list[bytes]) -> Iterator[Entry]:
    """The directories of the kept part, the last too if it is one, under the names that they get."""
    skipped = len(name.split(b"/")) - len(kept)
    for count in range(1, len(kept) + 1):
        path = b"/".join(name.split(b"/")[: skipped + count])
        real = follow(tree, path)
        item = tree.find(real) if real is not None else None
        if item is not None and item.member.kind == entry.DIRECTORY:
            yield msgspec.structs.replace(item.member, name=b"/".join(kept[:count]))


def _parts(text: str) -> list[str]:
    normal = posixpath.normpath("/" + text).strip("/") if text else ""
    return normal.split("/") if normal else []


def _glob(tree: SourceTree, folder: bytes, parts: list[str], *, deep: bool) -> Iterator[bytes]:
    """All paths that match, each component by itself; `**` is any number of them where it may be `deep`."""
    if not parts:
        yield folder
        return
    first, rest = parts[0], parts[1:]
    prefix = folder + b"/" if folder else b""
    if deep and first == "**":
        yield from _glob(tree, folder, rest or ["*"], deep=deep)
        real = follow(tree, folder)
        for name in tree.names(real) if rest and real is not None else ():
            item = tree.find(b"%s/%s" % (real, name) if real else name)
            if item is not None and item.member.kind == entry.DIRECTORY:
                yield from _glob(tree, prefix + name, parts, deep=deep)
        return
    if not _WILD.search(first):
        names = [os.fsencode(first)]
    else:
        real = follow(tree, folder)
        item = tree.find(real) if real is not None else None
        if real is None or item is None or item.member.kind != entry.DIRECTORY:
            return
        pattern = re.compile(os.fsencode(translate(first)), re.DOTALL)
        names = [name for name in tree.names(real) if pattern.fullmatch(name)]
    for name in names:
        if rest or follow(tree, prefix + name) is not None:
            yield from _glob(tree, prefix + name, rest, deep=deep)


def find_file(tree: SourceTree, path: str) -> Item | None:
    """The regular file that a path leads to."""
    real = follow(tree, "/".join(_parts(path)).encode())
    item = tree.find(real) if real else None
    return item if item is not None and item.member.kind == entry.REGULAR else None


def is_folder(tree: SourceTree, path: str) -> bool:
    """Whether a path leads to a directory."""
    real = follow(tree, "/".join(_parts(path)).encode())
    item = tree.find(real) if real is not None else None
    return item is not None and item.member.kind == entry.DIRECTORY
