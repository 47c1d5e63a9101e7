"""The pool as a whole: what an operator asks of it. What is in it is `ports.storage`'s and `ports.snapshots`'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """Sizes in bytes. `device` and `backing` are empty where the pool is a file system of the host's.

    `occupied` is what the pool's file takes from the host's file system: more than `used` until what was freed is
    discarded.
    """

    size: int
    used: int
    free: int
    device: str = ""
    backing: str = ""
    occupied: int = 0


@dataclass(frozen=True, slots=True)
class ScrubReport:
    """Bytes read, errors found, and those of them that could not be mended."""

    bytes: int
    errors: int
    uncorrectable: int


class PoolAdmin(Protocol):
    """One pool."""

    def status(self) -> PoolStatus:
        """How full it is."""

    async def grow(self, size: int) -> None:
        """Make it `size` bytes large while it is in use.

        Raises:
            InvalidParameter: it is larger than that, or it is the host's own file system.
            SystemFailure: the kernel refused.
        """

    async def scrub(self) -> ScrubReport:
        """Read everything in it and check it. Returns when that is done."""

    async def trim(self) -> int:
        """Give back to the host what is not used; the bytes that were told to be free."""
