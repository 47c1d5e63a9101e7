"""Which mounts a container will have: volumes of others, `-v`, `--mount`, and the volumes that its image declares."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from zonehost.domain.config import Config
from zonehost.domain.container import MountPoint
from zonehost.domain.host_config import HostConfig, VolumeOptions
from zonehost.domain.identity import checked_name, new_id
from zonehost.domain.mount_spec import (
    MountAsk,
    check_outside_proc,
    checked_tmpfs_target,
    parse_bind,
    parse_mount,
    parse_volumes_from,
)
from zonehost.domain.phase import Phase
from zonehost.domain.volume import ANONYMOUS_LABEL, Volume, host_folder, image_file
from zonehost.engine.host import Host
from zonehost.engine.volume.origin import with_origin
from zonehost.errors import Conflict, InvalidParameter, NotFound, SystemFailure, Unsupported
from zonehost.ports.machine import PathKind


@dataclass(frozen=True, slots=True)
class MountPlan:
    """Mount points in order of their destinations, and volumes to be made for them."""

    points: tuple[MountPoint, ...]
    new_volumes: tuple[Volume, ...]


async def check_sources(host: Host, host_config: HostConfig) -> None:
    """Whether the host has what `--mount type=bind` names.

    Raises:
        InvalidParameter: a source is not there and shall not be made.
    """
    for mount in host_config.mounts or ():
        if mount.type == "bind":
            point = parse_mount(mount).point
            if not point.create_source and await host.machine.kind(point.source) is PathKind.MISSING:
                raise InvalidParameter(
                    f'invalid mount config for type "bind": bind source path does not exist: {point.source}'
                )


async def check_folders(host: Host, points: Iterable[MountPoint]) -> None:
    """Whether the host's folders that are volumes are there. Raises SystemFailure."""
    for point in points:
        if point.folder is None:
            continue
        kind = await host.machine.kind(point.folder.device)
        if kind is not PathKind.FOLDER:
            why = "no such file or directory" if kind is PathKind.MISSING else "not a directory"
            mount = f"mount {point.folder.device}:{point.source}, flags: 0x1000: {why}"
            raise SystemFailure(f"error while mounting volume '{point.source}': failed to mount local volume: {mount}")


def plan_mounts(host: Host, config: Config, host_config: HostConfig, *, recursive_readonly: bool = True) -> MountPlan:
    """Resolve all mounts; the registries are only read. `recursive_readonly` is how far the `ro` of a `-v` goes.

    Raises:
        InvalidParameter: one is badly written, two have the same destination, or a container whose volumes are asked
        for is not there. NotFound: an image to mount is not there. Conflict: a volume is being removed.
    """
    planned: dict[str, MountAsk] = {}
    for text in host_config.volumes_from or ():
        for point in _volumes_of(host, text):
            planned[point.destination] = MountAsk(point)
    own = {checked_tmpfs_target(target) for target in host_config.tmpfs or {}}
    asks = [
        parse_bind(text, host_config.volume_driver, recursive_readonly=recursive_readonly)
        for text in host_config.binds or ()
    ]
    asks += [parse_mount(mount) for mount in host_config.mounts or ()]
    for ask in asks:
        destination = ask.point.destination
        if destination in own:
            raise InvalidParameter(f"Duplicate mount point: {destination}")
        own.add(destination)
        planned[destination] = ask
    for target in config.volumes or {}:
        destination = posixpath.normpath(posixpath.join("/", target))
        if destination not in planned and destination not in own:
            planned[destination] = parse_bind(destination)
    for destination in (*planned, *own):
        check_outside_proc(destination)
    return _with_volumes(host, planned)


def _volumes_of(host: Host, text: str) -> list[MountPoint]:
    ref, writable = parse_volumes_from(text)
    try:
        others = host.containers.find(ref).record.mounts
    except NotFound as error:
        # The docker command takes a 404 of a create for an image that is to be pulled.
        raise InvalidParameter(str(error)) from None
    return [
        msgspec.structs.replace(point, writable=point.writable and writable, no_copy=True)
        for point in others
        if point.type in ("volume", "bind")
    ]


def _with_volumes(host: Host, planned: dict[str, MountAsk]) -> MountPlan:
    points: list[MountPoint] = []
    new: dict[str, Volume] = {}
    for destination in sorted(planned):
        ask = planned[destination]
        point = ask.point
        if point.type == "volume":
            point = msgspec.structs.replace(point, name=point.name or new_id())
            if point.name not in new and (made := _new_volume(host, point, ask.volume)) is not None:
                new[point.name] = made
            volume = new.get(point.name) or host.volumes.find(point.name)
            image = image_file(volume.options)
            if image is not None and point.subpath:
                raise Unsupported(f"mount {destination}: a subpath of volume {volume.name}, which is an image file")
            point = msgspec.structs.replace(
                point,
                source=host.storage.volume_path(point.name),
                image=image,
                folder=host_folder(volume.options),
            )
        elif point.type == "image":
            mounted = host.images.find(point.source)
            point = msgspec.structs.replace(point, source=mounted.id, layers=mounted.layers)
        points.append(point)
    return MountPlan(tuple(points), tuple(new.values()))


def _new_volume(host: Host, point: MountPoint, options: VolumeOptions | None) -> Volume | None:
    """The volume to be made for a mount point, None if it is there."""
    if point.driver != "local":
        raise NotFound(f'error looking up volume plugin {point.driver}: plugin "{point.driver}" not found')
    existing = host.volumes.get(point.name)
    if existing is not None:
        if existing.phase is not Phase.WHOLE:
            raise Conflict(f"volume {point.name} is being {'removed' if existing.phase is Phase.REMOVING else 'made'}")
        return None
    if not point.anonymous:
        checked_name(point.name, "volume")
    given = options or VolumeOptions()
    return with_origin(
        host,
        Volume(
            name=point.name,
            created=host.clock.now(),
            labels={**(given.labels or {}), **({ANONYMOUS_LABEL: ""} if point.anonymous else {})} or None,
            options=given.driver_config.options if given.driver_config else None,
            anonymous=point.anonymous,
        ),
    )
