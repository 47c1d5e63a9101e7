"""How a layer says that something of the layers below is gone: in an archive, and on disk.

In an archive it is a file with a prefix (OCI image specification, "Layer Filesystem Changeset", whiteouts); on disk a
character device 0:0, or an attribute of a directory (kernel, Documentation/filesystems/overlayfs.rst).
"""

from __future__ import annotations

from typing import Final

import msgspec

from zonehost.tar import entry
from zonehost.tar.entry import Entry

PREFIX: Final = b".wh."
OPAQUE: Final = b".wh..wh..opq"
META_PREFIX: Final = b".wh..wh."
"""What AUFS left at the top of a tree; nothing of it is a file of the image."""

OPAQUE_XATTR: Final = b"trusted.overlay.opaque"
_OVERLAY: Final = b"trusted.overlay."
_ESCAPED: Final = b"trusted.overlay.overlay."


def is_whiteout(member: Entry) -> bool:
    """Whether a file on disk is a whiteout."""
    return member.kind == entry.CHARACTER and member.device == (0, 0)


def escaped(member: Entry) -> Entry:
    """The member with attributes that overlayfs would obey written so that it passes them on instead."""
    if not any(name.startswith(_OVERLAY) for name in member.xattrs):
        return member
    changed = {name.replace(_OVERLAY, _ESCAPED, 1): value for name, value in member.xattrs.items()}
    return msgspec.structs.replace(member, xattrs=changed)


def unescaped(member: Entry) -> Entry:
    """A member of an overlay's upper directory without overlayfs's own attributes, and with those that it passes on."""
    if not any(name.startswith(_OVERLAY) for name in member.xattrs):
        return member
    kept = {
        name.replace(_ESCAPED, _OVERLAY, 1): value
        for name, value in member.xattrs.items()
        if not name.startswith(_OVERLAY) or name.startswith(_ESCAPED)
    }
    return msgspec.structs.replace(member, xattrs=kept)
