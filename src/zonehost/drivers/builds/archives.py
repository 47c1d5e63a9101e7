"""Archives among the sources of an ADD: told by their content, not by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from zonehost.errors import InvalidParameter
from zonehost.tar import block
from zonehost.tar.compression import detect, plain
from zonehost.tar.entry import Entry
from zonehost.tar.reader import Bounds, Reader
from zonehost.tar.source import Source

_BEGINNING: Final = 512
_BOUNDS: Final = Bounds()

Members = Iterator[tuple[Entry, Callable[[], Iterable[memoryview]]]]


def members_of(content: Callable[[], Iterable[memoryview]]) -> Members | None:
    """The members of a file that is a tar archive, compressed or not; None if it is none.

    The content of each is to be taken before the next is asked for.
    """
    return _members(content) if is_archive(content) else None


def is_archive(content: Callable[[], Iterable[memoryview]]) -> bool:
    """Whether a file is a tar archive, compressed or not."""
    chunks = map(bytes, content())
    first = next(chunks, b"")
    beginning = first[:_BEGINNING]
    try:
        if detect(first) is not None:
            beginning = Source(plain(map(bytes, content()))).peek(_BEGINNING)
        if len(beginning) < _BEGINNING or beginning == block.ZERO:
            return False
        block.parse(beginning)
    except InvalidParameter:
        return False
    return True


def _members(content: Callable[[], Iterable[memoryview]]) -> Members:
    reader = Reader(Source(plain(map(bytes, content()))), _BOUNDS)
    for member in reader:
        yield member, reader.content
