"""The networks that every host has: bridge, host and none."""

from __future__ import annotations

import logging
from collections.abc import Set
from typing import Final

import msgspec

from zonehost.domain.identity import new_id
from zonehost.domain.network import Network
from zonehost.domain.phase import Phase
from zonehost.engine.host import Host
from zonehost.ports.records import Put

_DRIVERS: Final = {"bridge": "bridge", "host": "host", "none": "null"}


log = logging.getLogger(__name__)


async def ensure_predefined(host: Host, alive: Set[str] = frozenset()) -> None:
    """Make the records of those that are missing; the bridge gets a subnet that is free on this machine.

    It gets another if somebody has taken its own while there was no daemon, and none of the zones that are `alive`
    is on it.
    """
    missing = [name for name in _DRIVERS if host.networks.named(name) is None]
    for name in missing:
        network = Network(
            id=new_id(),
            name=name,
            driver=_DRIVERS[name],
            created=host.clock.now(),
            pools=await host.networking.choose_pools(host.networks) if name == "bridge" else (),
            predefined=True,
            phase=Phase.WHOLE,
        )
        await host.records.commit(Put(network))
        host.networks.put(network)
    await _yield_bridge(host, alive)


async def _yield_bridge(host: Host, alive: Set[str]) -> None:
    bridge = host.networks.named("bridge")
    if bridge is None or any(zone.id in alive and bridge.name in zone.record.endpoints for zone in host.containers):
        return
    if await host.networking.is_contested(bridge):
        pools = await host.networking.choose_pools(host.networks)
        log.warning("the network bridge moves to %s: its subnet is in use on this host", pools[0].subnet)
        moved = msgspec.structs.replace(bridge, pools=pools)
        await host.records.commit(Put(moved))
        host.networks.put(moved)
