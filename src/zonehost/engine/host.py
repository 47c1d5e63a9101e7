"""The host: the ports that verbs act through, and the registries that they act on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from zonehost.domain.container import Container
from zonehost.engine.settings import Settings
from zonehost.engine.state.containers import Containers
from zonehost.engine.state.events import EventBus
from zonehost.engine.state.execs import Execs
from zonehost.engine.state.images import Images
from zonehost.engine.state.networks import Networks
from zonehost.engine.state.snapshots import Snapshots
from zonehost.engine.state.volumes import Volumes
from zonehost.engine.state.zone import Zone
from zonehost.errors import ZonehostError
from zonehost.ports.archives import Archives
from zonehost.ports.audit import NetworkAudit, ZoneAudit
from zonehost.ports.build_cache import BuildCache
from zonehost.ports.builder import Builder
from zonehost.ports.changes import ApplyChanges
from zonehost.ports.clock import Clock
from zonehost.ports.downloads import Downloads
from zonehost.ports.files import ZoneFiles
from zonehost.ports.layers import Layers
from zonehost.ports.logs import Logs
from zonehost.ports.machine import Machine
from zonehost.ports.network import Networking
from zonehost.ports.pool import PoolAdmin
from zonehost.ports.records import Change, Put, Records
from zonehost.ports.registry import Registry
from zonehost.ports.runtime import Runtime
from zonehost.ports.snapshots import Snapshots as SnapshotPort
from zonehost.ports.storage import Storage

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Host:
    """What every verb takes first."""

    settings: Settings
    clock: Clock
    machine: Machine
    records: Records
    storage: Storage
    layers: Layers
    archives: Archives
    files: ZoneFiles
    runtime: Runtime
    networking: Networking
    logs: Logs
    registries: Registry
    downloads: Downloads
    zone_audit: ZoneAudit
    network_audit: NetworkAudit
    apply_changes: ApplyChanges
    pool: PoolAdmin | None = None
    snapshotter: SnapshotPort | None = None
    build_cache: BuildCache | None = None
    builder: Builder | None = None

    containers: Containers = field(default_factory=Containers)
    images: Images = field(default_factory=Images)
    networks: Networks = field(default_factory=Networks)
    volumes: Volumes = field(default_factory=Volumes)
    snapshots: Snapshots = field(default_factory=Snapshots)
    execs: Execs = field(default_factory=Execs)
    events: EventBus = field(default_factory=EventBus)
    background: set[asyncio.Task[Any]] = field(default_factory=set)

    async def keep(self, zone: Zone, record: Container, *others: Change) -> None:
        """Replace a container's record, at once for readers; durable on return.

        Raises:
            SystemFailure: it could not be written, and is as it was.
        """
        before, zone.record = zone.record, record
        try:
            await self.records.commit(Put(record), *others)
        except ZonehostError:
            if zone.record is record:
                zone.record = before
            raise

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something beside the calls of clients; what goes wrong in it is logged."""
        task = asyncio.create_task(work, name=name)
        self.background.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """End what runs in the background. Zones go on."""
        tasks = tuple(self.background)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: %s", task.get_name(), error, exc_info=None if isinstance(error, ZonehostError) else error)
