"""`docker commit`: an image of what a container has written."""

from __future__ import annotations

from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import msgspec

from zonehost.domain.config import Config
from zonehost.domain.config_merge import merge_config
from zonehost.domain.container import Container, Status
from zonehost.domain.failpoint import failpoint
from zonehost.domain.image import NOTHING, Layer
from zonehost.domain.image_config import HistoryStep, ImageConfig, RootFs, rfc3339, write_image_config
from zonehost.engine.host import Host
from zonehost.engine.image.intake import take_in
from zonehost.engine.image.names import new_name
from zonehost.engine.image.platform import host_platform
from zonehost.engine.image.sweep import sweep_layers, taking_in
from zonehost.engine.state.zone import Zone
from zonehost.engine.telling import tell_container, tell_image
from zonehost.errors import Conflict, SystemFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRequest:
    """Which container, under which name, with which changes; `pause` holds it still meanwhile."""

    container: str
    repository: str = ""
    tag: str = ""
    comment: str = ""
    author: str = ""
    pause: bool = True
    changes: tuple[str, ...] = ()
    config: Config | None = None


async def commit(host: Host, request: CommitRequest) -> str:
    """Make an image; its id.

    Raises:
        NotFound: there is no such container. Conflict: it is being removed. InvalidParameter: a change or the name
        cannot be.
    """
    zone = host.containers.find(request.container)
    name = new_name(request.repository, request.tag)
    base = zone.record.config if request.config is None else merge_config(request.config, zone.record.config)
    config = host.apply_changes(base, request.changes, host_platform(host))
    async with taking_in(host) as came:
        layer = await _layer(host, zone, pause=request.pause)
        came.add(layer.diff_id)
        failpoint("commit.layered")
        above = (layer,) if layer.diff_id != NOTHING else ()
        document = _document(host, zone.record, config, above, request)
        layers = (*_layers_below(host, zone.record), *above)
        names = (name,) if name is not None else ()
        image = await take_in(host, write_image_config(document), layers, names, parent=zone.record.image)
    if not above:
        await sweep_layers(host, came)
    tell_image(host, "create", image)
    if name is not None:
        tell_image(host, "tag", image, name.familiar)
    tell_container(
        host,
        zone.record,
        "commit",
        comment=request.comment,
        imageID=image.id,
        imageRef=name.familiar if name is not None else "",
    )
    return image.id


def _layers_below(host: Host, record: Container) -> list[Layer]:
    found = []
    for diff_id in record.layers:
        layer = host.layers.get(diff_id)
        if layer is None:
            raise SystemFailure(f"layer {diff_id} of container {record.id} is gone")
        found.append(layer)
    return found


async def _layer(host: Host, zone: Zone, *, pause: bool) -> Layer:
    async with AsyncExitStack() as after:
        await after.enter_async_context(zone.lock)
        if zone.record.state.status in (Status.REMOVING, Status.DEAD):
            raise Conflict(f"cannot commit container {zone.id}: it is being removed")
        if pause and zone.record.state.status is Status.RUNNING:
            await host.runtime.pause(zone.id)
            tell_container(host, zone.record, "pause")
            after.push_async_callback(_resume, host, zone)
            failpoint("commit.paused")
        upper = f"{host.storage.zone_path(zone.id)}/root/upper"
        return await host.layers.commit(upper, below=zone.record.layers)


async def _resume(host: Host, zone: Zone) -> None:
    """A zone that ended meanwhile needs not go on."""
    with suppress(Conflict):
        await host.runtime.resume(zone.id)
        tell_container(host, zone.record, "unpause")


def _document(
    host: Host, record: Container, config: Config, above: tuple[Layer, ...], request: CommitRequest
) -> ImageConfig:
    now = rfc3339(host.clock.now())
    parent_image = host.images.get(record.image)
    platform = host_platform(host)
    parent = (
        host.images.config_of(parent_image)
        if parent_image is not None
        else ImageConfig(architecture=platform.architecture, os=platform.os, variant=platform.variant)
    )
    step = HistoryStep(
        created=now,
        author=request.author,
        created_by=" ".join((record.path, *record.args)),
        comment=request.comment,
        empty_layer=not above,
    )
    # What is of this container alone does not belong into an image.
    shared = msgspec.structs.replace(
        config, hostname="", domainname="", image="", attach_stdin=False, attach_stdout=False, attach_stderr=False
    )
    return msgspec.structs.replace(
        parent,
        created=now,
        author=request.author,
        comment=request.comment,
        config=shared,
        rootfs=RootFs(diff_ids=(*record.layers, *(layer.diff_id for layer in above))),
        history=(*(parent.history or ()), step),
    )
