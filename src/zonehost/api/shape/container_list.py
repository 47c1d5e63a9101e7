"""Containers, as list shows them.

With hundreds of containers most have not changed since the last list: what follows from the record alone is encoded
once a record, and kept. Only the words of the status, which tell the time, and sizes are made anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from zonehost.api.answers import encode
from zonehost.api.shape.container import mount
from zonehost.api.shape.endpoints import networks, port_list
from zonehost.api.version import Version
from zonehost.domain.container import Container
from zonehost.engine.container.listing import Listed

_SECOND: Final = 1_000_000_000
_SPARE: Final = 256
"""How many kept entries there may be beyond those of the last list."""


class ContainerList:
    """Encodes lists of containers."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Container, tuple[str, ...], str, Version, bytes]] = {}

    def __len__(self) -> int:
        """How many entries are kept."""
        return len(self._kept)

    def encode(self, listed: Sequence[Listed], version: Version) -> bytes:
        """`GET /containers/json`."""
        body = b"[" + b",".join([self._entry(one, version) for one in listed]) + b"]"
        if len(self._kept) > len(listed) + _SPARE:
            present = {one.container.id for one in listed}
            self._kept = {key: value for key, value in self._kept.items() if key in present}
        return body

    def _entry(self, one: Listed, version: Version) -> bytes:
        container = one.container
        kept = self._kept.get(container.id)
        if kept is None or kept[0] is not container or kept[1:4] != (one.names, one.image_name, version):
            fixed = encode(_fixed(one, version))[:-1]
            kept = self._kept[container.id] = (container, one.names, one.image_name, version, fixed)
        sizes = b""
        if one.size_rw is not None:
            sizes = b',"SizeRw":%d,"SizeRootFs":%d' % (one.size_rw, one.size_root_fs or 0)
        return b'%b,"Status":%b%b}' % (kept[4], encode(one.status), sizes)


def entry(one: Listed, version: Version) -> dict[str, Any]:
    """One container."""
    answer = _fixed(one, version)
    answer["Status"] = one.status
    if one.size_rw is not None:
        answer["SizeRw"] = one.size_rw
        answer["SizeRootFs"] = one.size_root_fs
    return answer


def _fixed(one: Listed, version: Version) -> dict[str, Any]:
    container = one.container
    host_config: dict[str, Any] = {"NetworkMode": container.host_config.network_mode}
    if container.host_config.annotations and version >= (1, 46):
        host_config["Annotations"] = container.host_config.annotations
    return {
        "Id": container.id,
        "Names": [f"/{name}" for name in one.names],
        "Image": one.image_name,
        "ImageID": container.image,
        "Command": command(container),
        "Created": container.created // _SECOND,
        "Ports": port_list(container),
        "Labels": container.config.labels or {},
        "State": container.state.status,
        "HostConfig": host_config,
        "NetworkSettings": {"Networks": networks(container, version)},
        "Mounts": [mount(point) for point in container.mounts],
    }


def command(container: Container) -> str:
    """The command line as Docker shows it: arguments with a blank in them are quoted."""
    return " ".join([container.path, *(f"'{word}'" if " " in word else word for word in container.args)])
