"""`zonehost pool`."""

from __future__ import annotations

from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter, Unsupported
from zonehost.ports.pool import PoolAdmin, PoolStatus, ScrubReport


async def status(host: Host) -> PoolStatus:
    """How full the pool is. Raises Unsupported if the storage driver has none."""
    return _pool(host).status()


async def grow(host: Host, size: int) -> PoolStatus:
    """Make the pool `size` bytes large.

    Raises:
        InvalidParameter: it is larger than that already. Unsupported: the storage driver has no pool.
    """
    if size <= 0:
        raise InvalidParameter("the size of a pool is a number of bytes above 0")
    await _pool(host).grow(size)
    return _pool(host).status()


async def scrub(host: Host) -> ScrubReport:
    """Check all that is in the pool. Raises Unsupported if the storage driver has none."""
    return await _pool(host).scrub()


async def trim(host: Host) -> int:
    """Give unused space back to the host; its bytes. Raises Unsupported if the storage driver has no pool."""
    return await _pool(host).trim()


def _pool(host: Host) -> PoolAdmin:
    if host.pool is None:
        raise Unsupported(f"the storage driver {host.storage.name} has no pool")
    return host.pool
