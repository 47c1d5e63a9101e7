"""Volumes, as inspect and list show them."""

from __future__ import annotations

from typing import Any

from zonehost.api.shape.times import rfc3339_seconds
from zonehost.engine.volume.inspect import VolumeDetail


def detail(found: VolumeDetail) -> dict[str, Any]:
    """`GET /volumes/{name}`."""
    volume = found.volume
    return {
        "CreatedAt": rfc3339_seconds(volume.created),
        "Driver": volume.driver,
        "Labels": volume.labels or None,
        "Mountpoint": found.mountpoint,
        "Name": volume.name,
        "Options": volume.options,
        "Scope": "local",
    }
