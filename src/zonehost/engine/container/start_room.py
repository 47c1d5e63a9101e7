"""Room for a start in a dataset that is at its limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from zonehost.domain.container import Container
from zonehost.domain.host_config_check import storage_quota
from zonehost.engine.host import Host


@asynccontextmanager
async def room_for_a_start(host: Host, record: Container) -> AsyncIterator[None]:
    """Lift the limit of the container's dataset for a moment in which nothing of the container runs.

    A start writes a few small files, and the overlay is read-only if it cannot make its work directory: a container
    that is full could not be started, and so not be tidied up.
    """
    if storage_quota(record.host_config):
        await host.storage.limit_zone(record.id, 0)
    try:
        yield
    finally:
        await set_limit(host, record)


async def set_limit(host: Host, record: Container) -> None:
    """Have the limit hold that the record names, also where a daemon died in that moment."""
    if quota := storage_quota(record.host_config):
        await host.storage.limit_zone(record.id, quota)
