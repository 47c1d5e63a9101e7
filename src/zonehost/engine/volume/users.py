"""Who uses a volume: every container that has it among its mounts, half-made ones too."""

from __future__ import annotations

from collections import Counter

from zonehost.engine.host import Host


def users_of(host: Host, name: str) -> list[str]:
    """Ids of the containers that mount the volume."""
    return [
        record.id
        for record in host.containers.records()
        if any(mount.type == "volume" and mount.name == name for mount in record.mounts)
    ]


def reference_counts(host: Host) -> Counter[str]:
    """How many containers mount each volume."""
    return Counter(
        name
        for record in host.containers.records()
        for name in {mount.name for mount in record.mounts if mount.type == "volume"}
    )
