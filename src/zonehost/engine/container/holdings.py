"""`zonehost zone show`: all that a zone owns, in one answer."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.domain.container import Container
from zonehost.engine.container.endpoints import plugs_of
from zonehost.engine.container.log_path import log_path
from zonehost.engine.host import Host
from zonehost.ports.audit import ZoneHoldings


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """The kernel's part, the network's part, and what is on disk."""

    container: Container
    kernel: ZoneHoldings
    network: tuple[str, ...]
    addresses: tuple[str, ...]
    ports: tuple[str, ...]
    datasets: tuple[str, ...]
    volumes: tuple[str, ...]
    log: str


async def holdings(host: Host, ref: str) -> Holdings:
    """Everything that the container owns now.

    Raises:
        NotFound: there is none.
    """
    record = host.containers.find(ref).record
    plugs = plugs_of(host, record)
    return Holdings(
        container=record,
        kernel=await host.zone_audit.holdings(record.id),
        network=await host.network_audit.holdings(plugs) if record.state.running else (),
        addresses=tuple(
            f"{address}/{prefix} in {name}"
            for name, endpoint in record.endpoints.items()
            for address, prefix in ((endpoint.ipv4, endpoint.ipv4_prefix), (endpoint.ipv6, endpoint.ipv6_prefix))
            if address
        ),
        ports=tuple(
            f"{port.host_ip}:{port.host_port} to {port.port}/{port.protocol}"
            for port in record.state.ports
            if port.host_port
        ),
        datasets=(host.storage.zone_path(record.id),),
        volumes=tuple(f"{mount.name} at {mount.destination}" for mount in record.mounts if mount.type == "volume"),
        log=log_path(host, record) or "",
    )
