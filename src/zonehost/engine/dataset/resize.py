"""`zonehost set`: the quota of a container that exists."""

from __future__ import annotations

import msgspec

from zonehost.domain.host_config import HostConfig
from zonehost.domain.host_config_check import storage_quota
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_container
from zonehost.errors import Conflict


async def resize(host: Host, ref: str, size: str) -> None:
    """Let a container hold `size` (such as 2G) from now on, whether it runs or not; 0 lifts the limit.

    Raises:
        NotFound: there is no such container. InvalidParameter: that is no size.
        Conflict: it holds more than that. Unsupported: the storage driver has no quotas.
    """
    zone = host.containers.find(ref)
    option = None if size == "0" else {"size": size}
    quota = storage_quota(HostConfig(storage_opt=option))
    async with zone.lock:
        usage = (await host.storage.zone_usage([zone.id])).get(zone.id)
        if usage is not None and 0 < quota < usage.used:
            raise Conflict(f"container {zone.record.name} holds {usage.used} bytes, more than {quota}")
        await host.storage.limit_zone(zone.id, quota)
        wanted = msgspec.structs.replace(zone.record.host_config, storage_opt=option)
        await host.keep(zone, msgspec.structs.replace(zone.record, host_config=wanted))
    tell_container(host, zone.record, "update")
