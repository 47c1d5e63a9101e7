"""Structs as Go encodes them: some fields are left out when empty, some are empty lists or maps instead of null."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec


def lean(
    struct: msgspec.Struct, *, omit: Iterable[str] = (), lists: Iterable[str] = (), maps: Iterable[str] = ()
) -> Any:
    """The struct under its JSON names. `omit` names what vanishes when empty, `lists` and `maps` what is never null."""
    raw: dict[str, Any] = msgspec.to_builtins(struct)
    for name in omit:
        if not raw.get(name):
            raw.pop(name, None)
    for name in lists:
        if raw[name] is None:
            raw[name] = []
    for name in maps:
        if raw[name] is None:
            raw[name] = {}
    return raw
