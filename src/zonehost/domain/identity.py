"""Identifiers and names: how they are made, shortened and checked."""

from __future__ import annotations

import re
import secrets
from typing import Final

from zonehost.errors import InvalidParameter

SHORT: Final = 12
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_ID: Final = re.compile(r"[0-9a-f]{1,64}")


def new_id() -> str:
    """A fresh 64-digit hexadecimal id; as in Docker, its short form cannot be read as a number."""
    while True:
        candidate = secrets.token_hex(32)
        if not candidate[:SHORT].isdigit():
            return candidate


def short(identifier: str) -> str:
    """The first twelve digits, as commands print them."""
    return identifier.removeprefix("sha256:")[:SHORT]


def looks_like_id(text: str) -> bool:
    """Whether the text could be an id or the beginning of one."""
    return _ID.fullmatch(text) is not None


def checked_name(name: str, what: str = "container") -> str:
    """The name; that of a container without a leading slash.

    Raises:
        InvalidParameter: the name has characters that Docker does not allow.
    """
    bare = name.removeprefix("/") if what == "container" else name
    if what == "volume" and len(bare) == 1:
        raise InvalidParameter(
            f"create {bare}: volume name is too short, names should be at least two alphanumeric characters"
        )
    if _NAME.fullmatch(bare) is None:
        if what == "container":
            raise InvalidParameter(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        raise InvalidParameter(
            f'create {bare}: "{bare}" includes invalid characters for a local {what} name, '
            'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. '
            "If you intended to pass a host directory, use absolute path"
        )
    return bare
