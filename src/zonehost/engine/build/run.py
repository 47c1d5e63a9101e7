"""One command of a build, in a container of its own: made, run, committed, removed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import msgspec

from zonehost.domain.config import Config, Healthcheck
from zonehost.domain.failpoint import failpoint
from zonehost.domain.host_config import BindOptions, HostConfig, ImageOptions, LogConfig, Mount
from zonehost.domain.image import Image, Layer
from zonehost.domain.image_config import ImageConfig, RootFs, write_image_config
from zonehost.engine.container.attach import AttachRequest, attach
from zonehost.engine.container.attachments import Attachment
from zonehost.engine.container.create import CreateRequest, create
from zonehost.engine.container.remove import remove
from zonehost.engine.container.start import start
from zonehost.engine.host import Host
from zonehost.engine.image.platform import host_platform
from zonehost.engine.state.zone import Zone
from zonehost.errors import NotFound
from zonehost.ports.build_files import BuildFiles
from zonehost.ports.connections import Connections
from zonehost.ports.workshop import Output, Ran, RunOrder

BUILD: Final = "zonehost.build"
"""The annotation of a build's container: which build it belongs to."""

_ETC: Final = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")


async def run(
    host: Host,
    files: BuildFiles,
    connections: Connections,
    order: RunOrder,
    started: Callable[[str], None],
    output: Output,
    removals: set[asyncio.Task[None]],
) -> Ran:
    """See `Workshop.run`. The container's removal goes on beside the next step, as one of `removals`."""
    async with AsyncExitStack() as stack:
        draft = await stack.enter_async_context(_lent(host, order.layers))
        trees = [(await stack.enter_async_context(_lent(host, tree.layers)), tree) for tree in order.trees]
        mounts = [*_binds(order)]
        for image, tree in trees:
            options = ImageOptions(subpath=tree.subpath) if tree.subpath else None
            mounts.append(Mount(type="image", source=image.id, target=tree.destination, image_options=options))
        created = await create(
            host, CreateRequest(config=_config(order, draft), host_config=_host_config(order, tuple(mounts)))
        )
        container = created.container.id
        host.containers.find(container).lent = order.secrets
        failpoint("build.created")
        stack.callback(_remove_soon, host, container, removals)
        started(container)
        attachment = await attach(host, container, AttachRequest(stream=True, stdout=True, stderr=True))
        stack.push_async_callback(attachment.close)
        seen = stack.enter_context(connections.watch())
        ended = asyncio.ensure_future(_ended(host.containers.find(container)))
        stack.callback(ended.cancel)
        starting = asyncio.ensure_future(_started(host, container))
        stack.push_async_callback(_given_up, starting)
        await _listen(attachment, output)
        await asyncio.wait((starting, ended), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await starting
        code = await ended
        layer = await _layer(host, files, order, container, mounts) if code == 0 and order.keep else None
        addresses = tuple(target for source in await starting for target in seen.from_source(source))
        return Ran(code, layer.diff_id, layer.size, addresses) if layer is not None else Ran(code, "", 0, addresses)


async def _layer(host: Host, files: BuildFiles, order: RunOrder, container: str, mounts: Sequence[Mount]) -> Layer:
    """What the command wrote, as a layer on those that it stood on."""
    failpoint("build.ran")
    upper = f"{host.storage.zone_path(container)}/root/upper"
    covered = (*_ETC, *(mount.target for mount in mounts), *order.tmpfs, *order.covered)
    await files.tidy(upper, covered)
    layer = await host.layers.commit(upper, below=order.layers, epoch=order.epoch)
    await host.layers.complete((*order.layers, layer.diff_id))
    failpoint("build.committed")
    return layer


async def abandon_builds(host: Host) -> None:
    """Remove the containers of builds that an earlier daemon did not finish."""
    doomed = [zone.id for zone in host.containers if BUILD in (zone.record.host_config.annotations or {})]
    await asyncio.gather(*(_removed(host, container) for container in doomed))


@asynccontextmanager
async def _lent(host: Host, layers: tuple[str, ...]) -> AsyncIterator[Image]:
    """Layers as an image that nobody sees, for as long as it is needed."""
    platform = host_platform(host)
    config = write_image_config(
        ImageConfig(architecture=platform.architecture, os=platform.os, rootfs=RootFs(diff_ids=layers))
    )
    image_id = f"sha256:{hashlib.sha256(config).hexdigest()}"
    image = Image(id=image_id, config=config, layers=layers, size=0, added=host.clock.now())
    with host.images.lending(image):
        yield image


async def _ended(zone: Zone) -> int:
    """The exit code, as soon as nothing runs; what the kernel holds of the zone may go beside the next step."""
    done, _ = await asyncio.wait((zone.ends.next(), zone.exits.next()), return_when=asyncio.FIRST_COMPLETED)
    return done.pop().result()


async def _started(host: Host, container: str) -> list[str]:
    """Start it; its addresses, which it has no longer than it runs."""
    await start(host, container)
    endpoints = host.containers.find(container).record.endpoints.values()
    return [address for endpoint in endpoints for address in (endpoint.ipv4, endpoint.ipv6) if address]


async def _given_up(starting: asyncio.Future[list[str]]) -> None:
    """End a start that nobody waits for any more."""
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)


async def _listen(attachment: Attachment, output: Output) -> None:
    while chunks := await attachment.read():
        for _, data in chunks:
            await output(data)


def _remove_soon(host: Host, container: str, removals: set[asyncio.Task[None]]) -> None:
    task = asyncio.create_task(_removed(host, container))
    removals.add(task)
    task.add_done_callback(removals.discard)


async def _removed(host: Host, container: str) -> None:
    try:
        await remove(host, container, force=True, volumes=True)
    except NotFound:
        return


def _config(order: RunOrder, image: Image) -> Config:
    return Config(
        image=image.id,
        entrypoint=(),
        cmd=order.args,
        env=order.env,
        user=order.user,
        working_dir=order.workdir,
        attach_stdout=True,
        attach_stderr=True,
        healthcheck=Healthcheck(test=("NONE",)),
    )


def _host_config(order: RunOrder, mounts: tuple[Mount, ...]) -> HostConfig:
    return msgspec.structs.replace(
        order.host_config,
        network_mode=order.network,
        mounts=mounts,
        tmpfs=dict(order.tmpfs) or None,
        log_config=LogConfig(type="none"),
        annotations={BUILD: order.build},
    )


def _binds(order: RunOrder) -> list[Mount]:
    return [
        Mount(
            type="bind",
            source=bind.source,
            target=bind.destination,
            read_only=bind.readonly,
            bind_options=BindOptions(propagation="rprivate"),
        )
        for bind in order.binds
    ]
