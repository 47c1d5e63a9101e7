"""Sizes as people write and read them: 512, 20M, 1.5G; units of 1024."""

from __future__ import annotations

import re
from typing import Final

from zonehost.errors import InvalidParameter

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)([kmgt]?)", re.IGNORECASE)
_UNITS: Final = "kmgt"


def parse_size(text: str) -> int:
    """Bytes. Raises InvalidParameter if it is no size."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise InvalidParameter(f'"{text}" is no size: write 512, 20M or 1.5G')
    return int(float(found[1]) * 1024 ** (_UNITS.find(found[2].lower()) + 1 if found[2] else 0))


def size_text(size: float) -> str:
    """The size in the largest unit that leaves a number of 1 or more."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
