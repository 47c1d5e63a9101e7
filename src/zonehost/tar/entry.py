"""One member of an archive, as data, and what its name means.

Names are bytes: a file name has no encoding.
"""

from __future__ import annotations

from typing import Final

import msgspec

from zonehost.errors import InvalidParameter

REGULAR: Final = b"0"
HARD_LINK: Final = b"1"
SYMLINK: Final = b"2"
CHARACTER: Final = b"3"
BLOCK_DEVICE: Final = b"4"
DIRECTORY: Final = b"5"
FIFO: Final = b"6"

Extents = tuple[tuple[int, int], ...]
"""Where a file has data: offset and length, ascending."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A member. `kind` is one of the constants above; `mtime` is nanoseconds since the epoch.

    `size` is the length of the file's content; `extents` is None unless the file is sparse.
    """

    name: bytes
    kind: bytes = REGULAR
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    link: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: dict[bytes, bytes] = {}
    extents: Extents | None = None

    @property
    def stored(self) -> int:
        """Bytes of the file's content that the archive holds."""
        return self.size if self.extents is None else sum(length for _, length in self.extents)


def relative(name: bytes) -> bytes:
    """The name without leading slashes, `.` and inner `..`, as a path below any directory; b"" is the directory itself.

    Raises:
        InvalidParameter: the name leads out of the directory.
    """
    if b"." not in name and b"//" not in name:
        return name.strip(b"/")
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                raise InvalidParameter(f"the archive holds a name that leads out of it: {shown(name)}")
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def shown(name: bytes) -> str:
    """A name for a message."""
    return ascii(name.decode("utf-8", "backslashreplace"))[1:-1]
