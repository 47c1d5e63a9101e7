"""`docker inspect` of a container."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.domain.container import Container
from zonehost.engine.container.etc import etc_paths
from zonehost.engine.container.links import shown_links
from zonehost.engine.container.log_path import log_path
from zonehost.engine.container.sizes import sizes_of
from zonehost.engine.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """A container and where its things are. Sizes are in bytes, None if they were not asked for."""

    container: Container
    exec_ids: tuple[str, ...]
    log_path: str
    hosts_path: str
    hostname_path: str
    resolv_conf_path: str
    links: tuple[str, ...] | None
    graph: dict[str, str]
    size_rw: int | None = None
    size_root_fs: int | None = None


async def inspect(host: Host, ref: str, *, size: bool = False) -> Inspected:
    """All that is known of a container.

    Raises:
        NotFound: there is no such container.
    """
    record = host.containers.find(ref).record
    sizes = (await sizes_of(host, (record,))).get(record.id) if size else None
    started = record.state.started_at > 0
    paths = etc_paths(host, record) if started else {}
    dataset = host.storage.zone_path(record.id)
    return Inspected(
        container=record,
        exec_ids=tuple(entry.id for entry in host.execs.of(record.id)),
        log_path=(log_path(host, record) or "") if started else "",
        hosts_path=paths.get("hosts", ""),
        hostname_path=paths.get("hostname", ""),
        resolv_conf_path=paths.get("resolv.conf", ""),
        links=shown_links(host, record),
        graph={
            "LowerDir": ":".join(host.layers.path(layer) for layer in reversed(record.layers)),
            "MergedDir": "",
            "UpperDir": f"{dataset}/root/upper",
            "WorkDir": f"{dataset}/root/work",
        },
        size_rw=sizes[0] if sizes else None,
        size_root_fs=sizes[1] if sizes else None,
    )
