"""`docker create`: check, complete and hold what is asked for, then make it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import msgspec

from zonehost.domain.config import Config
from zonehost.domain.config_merge import command_line, merge_config
from zonehost.domain.container import Container
from zonehost.domain.endpoint_settings import EndpointSettings
from zonehost.domain.failpoint import failpoint
from zonehost.domain.host_config import HostConfig
from zonehost.domain.host_config_check import storage_quota
from zonehost.domain.identity import checked_name, new_id, short
from zonehost.domain.modes import network_name, other_container
from zonehost.domain.phase import Phase
from zonehost.domain.port_spec import exposed_ports
from zonehost.domain.volume import Volume
from zonehost.engine.container.completion import complete_host_config
from zonehost.engine.container.discard import discard
from zonehost.engine.container.endpoints import asked_endpoints
from zonehost.engine.container.links import check_links
from zonehost.engine.container.mounts import MountPlan, check_folders, check_sources, plan_mounts
from zonehost.engine.container.populate import populate_volumes
from zonehost.engine.container.request_check import check_request
from zonehost.engine.host import Host
from zonehost.engine.image.platform import check_platform
from zonehost.engine.state.zone import Zone
from zonehost.engine.telling import tell_container, tell_volume
from zonehost.engine.volume.origin import make_dataset
from zonehost.ports.records import Put


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRequest:
    """What a client asks for. An empty name gets a random one; `recursive_readonly` is of `-v` with `ro`."""

    name: str = ""
    platform: str = ""
    config: Config
    host_config: HostConfig
    endpoints: dict[str, EndpointSettings] = field(default_factory=dict)
    recursive_readonly: bool = True


@dataclass(frozen=True, slots=True)
class Created:
    """The container, and what a client should know about it."""

    container: Container
    warnings: tuple[str, ...]


async def create(host: Host, request: CreateRequest) -> Created:
    """Make a container; it is whole when this returns, or nothing of it is left.

    Raises:
        InvalidParameter: something asked for cannot be. NotFound: the image or another container is not there.
        Conflict: the name is taken. Unsupported: an option that zonehost does not have.
    """
    warnings = check_request(host, request.config, request.host_config)
    await check_sources(host, request.host_config)
    zone, plan = _enter(host, request)
    async with zone.lock, AsyncExitStack() as undo:
        undo.push_async_callback(discard, host, zone, plan.new_volumes)
        await host.records.commit(Put(zone.record), *map(Put, plan.new_volumes))
        failpoint("create.recorded")
        await host.storage.create_zone(zone.id, quota=storage_quota(zone.record.host_config))
        failpoint("create.dataset")
        for volume in plan.new_volumes:
            await make_dataset(host, volume, zone.id if volume.anonymous else "")
        await check_folders(host, plan.points)
        await populate_volumes(host, zone.record)
        failpoint("create.populated")
        await _finish(host, zone, plan.new_volumes)
        undo.pop_all()
    for volume in plan.new_volumes:
        tell_volume(host, "create", volume.name)
    tell_container(host, zone.record, "create")
    return Created(zone.record, warnings)


def _enter(host: Host, request: CreateRequest) -> tuple[Zone, MountPlan]:
    """Look up all that is asked for and take the container in.

    Nothing is awaited here: from the moment of the look-up, image and volumes are in use by a container of the
    registry, so that no removal can come between.
    """
    container_id = new_id()
    name = checked_name(request.name) if request.name else host.containers.free_name()
    host.containers.check_name(name)
    image = host.images.find(request.config.image) if request.config.image else None
    config = request.config
    if image is not None:
        check_platform(host, image, request.config.image, request.platform)
        config = merge_config(config, host.images.config_of(image).run)
    else:
        config = merge_config(config, Config())
    exposed_ports(config.exposed_ports)
    path, args = command_line(config)
    check_links(host, request.host_config)
    host_config = complete_host_config(host, request.host_config)
    config = msgspec.structs.replace(config, hostname=_hostname(host, config, host_config, container_id))
    plan = plan_mounts(host, config, host_config, recursive_readonly=request.recursive_readonly)
    record = Container(
        id=container_id,
        name=name,
        created=host.clock.now(),
        image=image.id if image is not None else "",
        layers=image.layers if image is not None else (),
        config=config,
        host_config=host_config,
        path=path,
        args=args,
        mounts=plan.points,
        endpoints=asked_endpoints(host, config, host_config, request.endpoints),
    )
    zone = host.containers.add(record)
    for volume in plan.new_volumes:
        host.volumes.put(volume)
    return zone, plan


def _hostname(host: Host, config: Config, host_config: HostConfig, container_id: str) -> str:
    if config.hostname or other_container(host_config.network_mode):
        return config.hostname
    if network_name(host_config.network_mode) == "host" or host_config.uts_mode == "host":
        return host.machine.facts.hostname
    return short(container_id)


async def _finish(host: Host, zone: Zone, volumes: tuple[Volume, ...]) -> None:
    whole = tuple(msgspec.structs.replace(volume, phase=Phase.WHOLE) for volume in volumes)
    for volume in whole:
        host.volumes.put(volume)
    record = msgspec.structs.replace(zone.record, phase=Phase.WHOLE)
    if whole:
        await host.keep(zone, record, *map(Put, whole))
        return
    # A container without new volumes can be finished from its record alone; the disk need not be waited for.
    zone.record = record
    host.spawn(host.records.commit(Put(record)), f"mark container {zone.record.short} as whole")
