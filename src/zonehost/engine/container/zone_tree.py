"""How to reach a container's files."""

from __future__ import annotations

from zonehost.domain.container import Status
from zonehost.engine.container.blueprint import bind_mounts, image_mounts
from zonehost.engine.container.populate import root_of
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.ports.files import ZoneTree


def tree_of(host: Host, zone: Zone) -> ZoneTree:
    """The zone's root, with what is mounted in it.

    Raises:
        NotFound: an image mounted in it is gone.
    """
    record = zone.record
    return ZoneTree(
        zone=record.id,
        pid=record.state.pid if record.state.running else 0,
        root=root_of(host, record),
        binds=bind_mounts(record),
        images=image_mounts(host, record),
        working_dir=record.config.working_dir if record.state.status is Status.CREATED else "",
    )
