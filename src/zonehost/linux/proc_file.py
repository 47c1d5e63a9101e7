"""Files of proc(5) that hold names which others chose: of programs, of mounts, of groups.

Such a name may be any bytes but a few: what is no UTF-8 is read as U+FFFD, and nothing but a newline ends a line.
"""

from __future__ import annotations

from pathlib import Path


def text(path: str) -> str:
    """The whole file. Raises OSError as the kernel does."""
    return Path(path).read_bytes().decode(errors="replace")


def lines(path: str) -> list[str]:
    """Its lines. Raises OSError as the kernel does."""
    found = text(path)
    return found.removesuffix("\n").split("\n") if found else []
