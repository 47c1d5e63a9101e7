"""`docker import`: the archive of a file tree becomes an image of one layer."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass, replace

from zonehost.domain.config import Config
from zonehost.domain.failpoint import failpoint
from zonehost.domain.image_config import HistoryStep, ImageConfig, RootFs, rfc3339, write_image_config
from zonehost.domain.platform import machine_platform, parse_platform
from zonehost.engine.host import Host
from zonehost.engine.image.intake import take_in
from zonehost.engine.image.names import new_name
from zonehost.engine.image.sweep import taking_in
from zonehost.engine.progress import LayerProgress, Tell
from zonehost.engine.telling import tell_image
from zonehost.errors import InvalidParameter


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """The archive may be compressed; an empty repository leaves the image without a name."""

    archive: AsyncIterable[bytes]
    repository: str = ""
    tag: str = ""
    message: str = ""
    changes: tuple[str, ...] = ()
    platform: str = ""


async def import_from(host: Host, url: str, request: ImportRequest, tell: Tell) -> str:
    """As `import_image`, of the archive that an http or https server has, telling how much of it has come.

    Raises:
        NotFound, Unauthorized, Forbidden, Unavailable: the server does not give it.
    """
    async with host.downloads.get(url) as download:
        tell({"status": f"Downloading from {url}"})
        archive = LayerProgress(tell).watch(download.chunks, "Importing", download.size)
        return await import_image(host, replace(request, archive=archive))


async def import_image(host: Host, request: ImportRequest) -> str:
    """Make the image; its id.

    Raises:
        InvalidParameter: the name, a change, the platform or the archive cannot be; nothing is left.
    """
    name = new_name(request.repository, request.tag)
    platform = machine_platform(host.machine.facts.architecture)
    if request.platform:
        platform = parse_platform(request.platform, platform)
    if platform.os != "linux":
        raise InvalidParameter("operating system is not supported")
    run = host.apply_changes(Config(), request.changes, platform)
    async with taking_in(host) as came:
        layer = await host.layers.unpack(request.archive)
        came.add(layer.diff_id)
        failpoint("import.unpacked")
        created = rfc3339(host.clock.now())
        config = ImageConfig(
            architecture=platform.architecture,
            os=platform.os,
            variant=platform.variant,
            created=created,
            comment=request.message,
            config=run,
            rootfs=RootFs(diff_ids=(layer.diff_id,)),
            history=(HistoryStep(created=created, comment=request.message),),
        )
        image = await take_in(host, write_image_config(config), [layer], [name] if name else [])
    if name is not None:
        tell_image(host, "tag", image, name.familiar)
    tell_image(host, "import", image)
    return image.id
