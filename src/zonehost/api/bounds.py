"""Values that a JSON body can have and nobody behind it could keep.

They are null bytes, which no path or argument of the kernel holds, and numbers of more than 64 bits: Docker's clients
could not read these in what they are shown.
"""

from __future__ import annotations

import re
from typing import Any, Final

from zonehost.errors import InvalidParameter

_SUSPECT: Final = re.compile(rb"\\u0000|\d{19}")
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


def check_values(data: bytes, value: Any) -> None:
    """Look at a decoded body, whose text is `data`.

    Raises:
        InvalidParameter: there is such a value; names the field.
    """
    if _SUSPECT.search(data) is not None:
        _check(value, "")


def _check(value: Any, place: str) -> None:
    match value:
        case dict():
            for name, inner in value.items():
                where = f"{place}.{name}" if place else name
                _check(name, where)
                _check(inner, where)
        case list():
            for number, inner in enumerate(value):
                _check(inner, f"{place}[{number}]")
        case str() if "\0" in value:
            raise InvalidParameter(f"invalid JSON: a null byte in field {place}")
        case int() if not _LOWEST <= value <= _HIGHEST:
            raise InvalidParameter(f"invalid JSON: cannot unmarshal number {value} into field {place} of type int64")
        case _:
            pass
