"""Where a sparse file has data: GNU tar's old format and the pax formats 0.0, 0.1 and 1.0 (GNU tar manual, "Sparse").

Owns the reading of the maps. A map is checked before anyone allocates or seeks by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from zonehost.errors import InvalidParameter
from zonehost.tar import block, pax
from zonehost.tar.entry import Extents

MAX_EXTENTS: Final = 1 << 20
_HEADER_MAP: Final = 386
_HEADER_EXTENTS: Final = 4
_HEADER_CONTINUED: Final = 482
_HEADER_SIZE: Final = slice(483, 495)
_BLOCK_EXTENTS: Final = 21
_BLOCK_CONTINUED: Final = 504
_EXTENT: Final = 24


def checked(numbers: Sequence[int], size: int, stored: int) -> Extents:
    """Offsets and lengths in turn, as extents.

    Raises:
        InvalidParameter: they are not ascending, or don't fit the file's size or the stored length.
    """
    extents = tuple(zip(numbers[::2], numbers[1::2], strict=True)) if len(numbers) % 2 == 0 else None
    if extents is None or len(extents) > MAX_EXTENTS:
        raise _damaged()
    end = 0
    for offset, length in extents:
        if offset < end or length < 0 or offset + length > size:
            raise _damaged()
        end = offset + length
    if sum(length for _, length in extents) != stored:
        raise _damaged()
    return tuple((offset, length) for offset, length in extents if length)


def from_header(header: bytes, take: Callable[[int], bytes]) -> tuple[int, list[int]]:
    """The file's size and the map of a header of type `S`; `take` gives the blocks that follow it."""
    numbers = _numbers(header[_HEADER_MAP:], _HEADER_EXTENTS)
    continued = header[_HEADER_CONTINUED]
    while continued:
        extension = take(block.SIZE)
        numbers += _numbers(extension, _BLOCK_EXTENTS)
        continued = extension[_BLOCK_CONTINUED]
        _bounded(numbers)
    return block.number(header[_HEADER_SIZE]), numbers


def from_records(records: Sequence[tuple[bytes, bytes]]) -> list[int] | None:
    """The map of format 0.0 or 0.1, if there is one."""
    numbers: list[int] | None = None
    for key, value in records:
        if key == b"GNU.sparse.map":
            numbers = [pax.integer(digits) for digits in value.split(b",")] if value else []
        elif key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            numbers = [] if numbers is None else numbers
            numbers.append(pax.integer(value))
    return numbers


def from_content(take: Callable[[int], bytes]) -> tuple[int, list[int]]:
    """The bytes that the map of format 1.0 takes at the beginning of the content, and the map."""
    text = b""
    taken = 0

    def line() -> int:
        nonlocal text, taken
        while b"\n" not in text:
            if len(text) > block.SIZE:
                raise _damaged()
            text += take(block.SIZE)
            taken += block.SIZE
        digits, _, text = text.partition(b"\n")
        return pax.integer(digits)

    count = line()
    if not 0 <= count <= MAX_EXTENTS:
        raise _damaged()
    numbers = [line() for _ in range(2 * count)]
    return taken, numbers


def _numbers(area: bytes, count: int) -> list[int]:
    numbers = []
    for start in range(0, count * _EXTENT, _EXTENT):
        if not area[start + 12]:
            break
        numbers += [block.number(area[start : start + 12]), block.number(area[start + 12 : start + 24])]
    return numbers


def _bounded(numbers: list[int]) -> None:
    if len(numbers) > 2 * MAX_EXTENTS:
        raise _damaged()


def _damaged() -> InvalidParameter:
    return InvalidParameter("the archive has a sparse file whose map is damaged")
