"""Which pages of its memory a forked process has for itself, since it wrote to them, and having them before it writes.

A page that is shared since a fork is copied when one side writes to it (docs/kernel-notes.md has what that costs).
"""

from __future__ import annotations

import array
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from zonehost.linux import libc

Extent = tuple[int, int]
"""The address of the first page, and how many bytes."""

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_ENTRY: Final = 8
_EXCLUSIVE: Final = 1 << 56
"""Of an entry of pagemap: no other process has the page (Documentation/admin-guide/mm/pagemap.rst)."""
_GAP: Final = 2
"""Pages between two extents that are not worth a call of their own."""
_MADV_POPULATE_WRITE: Final = 23


def of(pid: int) -> list[Extent]:
    """The pages that a process alone has, of those that it may write to.

    Raises:
        OSError: there is no such process, or it cannot be looked into.
    """
    pages: list[int] = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        for line in maps:
            place, rights, _ = line.split(maxsplit=2)
            if rights == "rw-p":
                first, end = (int(address, 16) // _PAGE for address in place.split("-"))
                entries = array.array("Q", os.pread(pagemap.fileno(), (end - first) * _ENTRY, first * _ENTRY))
                pages += [first + number for number, entry in enumerate(entries) if entry & _EXCLUSIVE]
    return _joined(pages)


def make(extents: Iterable[Extent]) -> None:
    """Have these pages for this process alone, where it has such memory."""
    for address, size in extents:
        with suppress(OSError):  # ENOMEM: it has none there; EINVAL: the kernel is older than 5.14
            libc.call("madvise", address, size, _MADV_POPULATE_WRITE)


def _joined(pages: Iterable[int]) -> list[Extent]:
    """Pages in ascending order, as extents with small gaps closed."""
    extents: list[Extent] = []
    for page in pages:
        if extents and page - (extents[-1][0] + extents[-1][1]) // _PAGE <= _GAP:
            extents[-1] = (extents[-1][0], (page + 1) * _PAGE - extents[-1][0])
        else:
            extents.append((page * _PAGE, _PAGE))
    return extents
