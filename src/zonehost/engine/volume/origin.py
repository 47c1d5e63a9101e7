"""What a new volume begins with: nothing, what another volume holds or held, or what an image has somewhere.

`-o from=VOLUME[@SNAPSHOT]` and `-o from-image=IMAGE:/path` take the same time for any amount of data.
"""

from __future__ import annotations

import hashlib

import msgspec

from zonehost.domain.blueprint import Root
from zonehost.domain.failpoint import failpoint
from zonehost.domain.identity import new_id
from zonehost.domain.image import Image
from zonehost.domain.log_config import parse_size
from zonehost.domain.snapshot import Dataset
from zonehost.domain.volume import Volume, host_folder, image_file
from zonehost.engine.dataset.reference import check_whole, snapshotter, split, volume_dataset
from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter
from zonehost.ports.files import ZoneTree
from zonehost.ports.machine import PathKind
from zonehost.ports.snapshots import Snapshots


def with_origin(host: Host, volume: Volume) -> Volume:
    """The volume, with the snapshot noted that it will be cloned from: from now on that cannot go.

    Raises:
        InvalidParameter, NotFound: what it shall begin with cannot be, or is not there.
        Unsupported: the storage driver has no clones.
    """
    options = volume.options or {}
    image_file(options)
    host_folder(options)
    if "from" in options and "from-image" in options:
        raise InvalidParameter(f"create {volume.name}: of the options from and from-image only one can be given")
    if "from-image" in options:
        snapshotter(host, "volume option from-image")
        _image_place(host, options["from-image"])
    if "from" not in options:
        return volume
    snapshotter(host, "volume option from")
    name, snapshot = split(options["from"])
    source = volume_dataset(host, name)
    return msgspec.structs.replace(volume, origin=host.snapshots.find(source, snapshot).id if snapshot else "")


async def make_dataset(host: Host, volume: Volume, zone: str = "") -> None:
    """Make a volume's dataset; what it holds counts against the quota of `zone` too, if one is given.

    Raises:
        InvalidParameter, NotFound, Unsupported: an option cannot be obeyed.
    """
    options = dict(volume.options or {})
    file = image_file(options)
    if file is not None:
        if await host.machine.kind(file.device) is not PathKind.FILE:
            raise InvalidParameter(f"volume option device: {file.device} is no file of this host")
        options = {}
    if host_folder(options) is not None:
        options = {}
    source, image = options.pop("from", ""), options.pop("from-image", "")
    if not source and not image:
        await host.storage.create_volume(volume.name, options=options, zone=zone)
        return
    for option in options:
        if option != "size":
            raise InvalidParameter(f'create {volume.name}: invalid option: "{option}"')
    quota = parse_size(options["size"], "size") if "size" in options else 0
    port = snapshotter(host, "a clone")
    if source:
        origin = Dataset("volume", split(source)[0])
        target = Dataset("volume", volume.name)
        if not volume.origin:
            await check_whole(host, [origin])
        await port.clone(volume.origin, origin, target, quota=quota, zone=zone)
        return
    await _clone_base(host, port, image, volume.name, quota, zone)


async def drop_unused_bases(host: Host) -> None:
    """Remove the bases whose image is gone."""
    if host.snapshotter is None:
        return
    async with host.snapshots.bases:
        for key in await host.snapshotter.bases():
            if host.images.get(f"sha256:{key.partition('-')[0]}") is None:
                await host.snapshotter.remove_base(key)


async def _clone_base(host: Host, port: Snapshots, text: str, volume: str, quota: int, zone: str) -> None:
    """Clone the base that holds what the image has at the path; it is filled when it is first asked for."""
    image, path = _image_place(host, text)
    key = f"{image.id.removeprefix('sha256:')}-{hashlib.sha256(path.encode()).hexdigest()[:16]}"
    async with host.snapshots.bases:
        if key not in await port.bases():
            await _fill(host, image, path, await port.begin_base(key))
            failpoint("base.filled")
            await port.finish_base(key)
        await port.clone_base(key, volume, quota=quota, zone=zone)


async def _fill(host: Host, image: Image, path: str, folder: str) -> None:
    """Copy what the image has at the path into the folder, by way of a root that nothing else knows."""
    scratch = new_id()
    dataset = await host.storage.create_zone(scratch)
    try:
        async with host.images.intake():
            root = Root(layers=host.layers.stack(image.layers), dataset=dataset, readonly=True)
            await host.files.populate(ZoneTree(zone=scratch, pid=0, root=root), path, folder)
    finally:
        await host.storage.remove_zone(scratch)


def _image_place(host: Host, text: str) -> tuple[Image, str]:
    name, colon, path = text.rpartition(":")
    if not colon or not path.startswith("/"):
        raise InvalidParameter(f'volume option from-image: "{text}" is not IMAGE:/path')
    return host.images.find(name), path
