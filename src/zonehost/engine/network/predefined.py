"""The networks that every host has: bridge, host and none."""

from __future__ import annotations

from typing import Final

from zonehost.domain.identity import new_id
from zonehost.domain.network import Network
from zonehost.domain.phase import Phase
from zonehost.engine.host import Host
from zonehost.ports.records import Put

_DRIVERS: Final = {"bridge": "bridge", "host": "host", "none": "null"}


async def ensure_predefined(host: Host) -> None:
    """Make the records of those that are missing; the bridge gets a subnet that is free on this machine."""
    missing = [name for name in _DRIVERS if host.networks.named(name) is None]
    for name in missing:
        network = Network(
            id=new_id(),
            name=name,
            driver=_DRIVERS[name],
            created=host.clock.now(),
            pools=await host.networking.choose_pools(tuple(host.networks)) if name == "bridge" else (),
            predefined=True,
            phase=Phase.WHOLE,
        )
        await host.records.commit(Put(network))
        host.networks.put(network)
