"""A host that stands on fakes, with an image to make containers of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.fakes.audit import QuietNetworkAudit, QuietZoneAudit
from tests.fakes.disk import MemoryArchives, MemoryLayers, MemoryRecords, MemoryStorage
from tests.fakes.files import PaperFiles, TaskLogs
from tests.fakes.machine import HandClock, PaperMachine
from tests.fakes.network import MemoryNetworking, NoDownloads, NoRegistry
from tests.fakes.runtime import TaskRuntime
from zonehost.builder.changes import apply_changes
from zonehost.domain.config import Config
from zonehost.domain.image import Image
from zonehost.domain.image_config import HistoryStep, ImageConfig, RootFs, write_image_config
from zonehost.domain.reference import parse_reference
from zonehost.engine.container.exits import watch_exits
from zonehost.engine.host import Host
from zonehost.engine.image.intake import take_in
from zonehost.engine.network.predefined import ensure_predefined
from zonehost.engine.settings import Settings

CREATED = "2024-05-06T07:08:09.123456789Z"


@dataclass
class World:
    """A host, and the fakes under it."""

    host: Host
    clock: HandClock
    records: MemoryRecords
    storage: MemoryStorage
    layers: MemoryLayers
    files: PaperFiles
    runtime: TaskRuntime
    networking: MemoryNetworking
    machine: PaperMachine

    async def add_image(self, name: str, config: Config, layer: bytes = b"layer") -> Image:
        """Have an image of one layer under a name."""
        taken = self.layers.put(layer)
        image = ImageConfig(
            architecture="amd64",
            os="linux",
            created=CREATED,
            config=config,
            rootfs=RootFs(diff_ids=(taken.diff_id,)),
            history=(HistoryStep(created=CREATED, created_by="made by hand"),),
        )
        async with self.host.images.intake():
            return await take_in(self.host, write_image_config(image), [taken], [parse_reference(name).tagged()])


@asynccontextmanager
async def running_world() -> AsyncIterator[World]:
    """A host that has started: its networks are there, and it sees the ends of zones."""
    clock = HandClock()
    runtime = TaskRuntime(clock)
    layers = MemoryLayers()
    world = World(
        host=Host(
            settings=Settings(id="fake-host"),
            clock=clock,
            machine=(machine := PaperMachine()),
            records=(records := MemoryRecords()),
            storage=(storage := MemoryStorage()),
            layers=layers,
            archives=MemoryArchives(layers),
            files=(files := PaperFiles()),
            runtime=runtime,
            networking=(networking := MemoryNetworking()),
            logs=TaskLogs(runtime),
            registries=NoRegistry(),
            downloads=NoDownloads(),
            zone_audit=QuietZoneAudit(),
            network_audit=QuietNetworkAudit(),
            apply_changes=apply_changes,
        ),
        clock=clock,
        records=records,
        storage=storage,
        layers=layers,
        files=files,
        runtime=runtime,
        networking=networking,
        machine=machine,
    )
    await ensure_predefined(world.host)
    world.host.spawn(watch_exits(world.host), "ends of zones")
    try:
        yield world
    finally:
        for zone in tuple(runtime.zones):
            await runtime.remove(zone)
        await world.host.close()
