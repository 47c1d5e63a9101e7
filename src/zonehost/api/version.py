"""Versions of Docker's API: which are spoken here, and how a path names one."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from zonehost.errors import InvalidParameter


class Version(NamedTuple):
    """A version of the API. Compares with plain tuples: `version >= (1, 42)`."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


MINIMUM: Final = Version(1, 24)
MAXIMUM: Final = Version(1, 51)

_VERSIONED: Final = re.compile(r"/v([0-9.]+)(/.*)")


def split(path: str) -> tuple[Version, str]:
    """The version that a path asks for, the newest if it names none, and the path without it.

    Raises:
        InvalidParameter: this version is not spoken here, in Docker's words.
    """
    match = _VERSIONED.fullmatch(path)
    if match is None:
        return MAXIMUM, path
    text, rest = match.groups()
    numbers = [int(part) for part in text.split(".") if part]
    version = Version(*[*numbers, 0, 0][:2])
    if version < MINIMUM:
        raise InvalidParameter(
            f"client version {text} is too old. Minimum supported API version is {MINIMUM}, "
            "please upgrade your client to a newer version"
        )
    if version > MAXIMUM:
        raise InvalidParameter(f"client version {text} is too new. Maximum supported API version is {MAXIMUM}")
    return version, rest
