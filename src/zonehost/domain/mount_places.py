"""What starting a zone may put into its root only as places for mounts.

Docker keeps them in a layer of their own, so they are neither changes of the container nor part of its images.
"""

from __future__ import annotations

from typing import Final

MOUNT_PLACES: Final = frozenset(
    (b"dev", b"proc", b"sys", b"etc", b"etc/hosts", b"etc/hostname", b"etc/resolv.conf", b"etc/mtab")
)
"""Paths relative to the root. One that has anything in it is the zone's own."""
