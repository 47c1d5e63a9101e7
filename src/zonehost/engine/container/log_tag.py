"""What the tag of a container's log may be made of."""

from __future__ import annotations

from zonehost.domain.container import Container
from zonehost.domain.identity import short
from zonehost.engine.host import Host


def tag_fields(host: Host, record: Container) -> dict[str, str]:
    """By the names of Docker's templates (`{{.Name}}`)."""
    return {
        "ID": record.short,
        "FullID": record.id,
        "Name": record.name,
        "ImageName": record.config.image,
        "ImageID": short(record.image),
        "ImageFullID": record.image,
        "DaemonName": "docker",
        "Hostname": host.machine.facts.hostname,
        "Command": " ".join((record.path, *record.args)),
    }
