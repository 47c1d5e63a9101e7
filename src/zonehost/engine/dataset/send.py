"""`zonehost send`: a snapshot with all that belongs to it, as a stream that another host can receive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec

from zonehost.domain.container import Container
from zonehost.domain.sending import Head, Origin
from zonehost.domain.snapshot import Dataset, Snapshot
from zonehost.engine.dataset.frames import MAGIC, Kind, data_frames, frame
from zonehost.engine.dataset.reference import find_dataset, shown, snapshotter, split
from zonehost.engine.dataset.snapshot import take
from zonehost.engine.host import Host
from zonehost.errors import Conflict, Unsupported
from zonehost.ports.snapshots import Snapshots

_SECOND = 1_000_000_000


async def send(host: Host, reference: str, *, base: str = "", layers: bool = False) -> AsyncIterator[bytes]:
    """The stream of `NAME@SNAPSHOT`; of `NAME` a snapshot is taken first. With `base`, only what changed since.

    `layers` has the layers of the container's image sent along, which else the receiver must have.

    Raises:
        NotFound: there is no such thing. Conflict: the base has other volumes than the snapshot.
        Unsupported: the storage driver has no snapshots, or a volume is an image file.
    """
    port = snapshotter(host, "send")
    ref, name = split(reference)
    of = find_dataset(host, ref)
    _check_images(host, of)
    earlier = host.snapshots.find(of, base) if base else None
    if not name:
        now = host.clock.now()
        name = datetime.fromtimestamp(now / _SECOND, UTC).strftime("sent-%Y%m%d-%H%M%S")
        await take(host, of, name)
    snapshot = host.snapshots.find(of, name)
    if earlier is not None and earlier.datasets != snapshot.datasets:
        raise Conflict(f"the volumes of {ref} are not those of snapshot {base}: send it whole")
    return _stream(host, port, _head(host, of, snapshot, earlier, layers=layers), snapshot, earlier)


def _check_images(host: Host, of: Dataset) -> None:
    zone = host.containers.get(of.name) if of.kind == "zone" else None
    for point in zone.record.mounts if zone is not None else ():
        if point.image is not None:
            raise Unsupported(f"send: volume {point.name} is an image file, and no part of a snapshot")


def _head(host: Host, of: Dataset, snapshot: Snapshot, earlier: Snapshot | None, *, layers: bool) -> Head:
    container = snapshot.container
    names = [dataset.name for dataset in snapshot.datasets if dataset.kind == "volume"]
    image = host.images.get(container.image) if container is not None else None
    return Head(
        snapshot=Origin(snapshot.origin, snapshot.name),
        of=shown(host, of),
        created=snapshot.created,
        labels=snapshot.labels,
        datasets=snapshot.datasets,
        volumes=tuple(volume for name in names if (volume := host.volumes.get(name)) is not None),
        base=Origin(earlier.origin, earlier.name) if earlier is not None else None,
        container=_plain(container) if container is not None else None,
        image=image.config if image is not None else b"",
        image_names=tuple(tag.name for tag in host.images.tags_of(image.id)) if image is not None else (),
        layers=container.layers if container is not None and layers else (),
    )


def _plain(container: Container) -> Container:
    """The record without what is of this host alone."""
    return msgspec.structs.replace(container, state=type(container.state)(), origin="")


async def _stream(
    host: Host, port: Snapshots, head: Head, snapshot: Snapshot, earlier: Snapshot | None
) -> AsyncIterator[bytes]:
    yield MAGIC + frame(Kind.HEAD, msgspec.json.encode(head))
    for layer in head.layers:
        yield frame(Kind.LAYER, layer.encode())
        async for piece in data_frames(host.layers.pack(layer)):
            yield piece
    for number, dataset in enumerate(snapshot.datasets):
        yield frame(Kind.DATASET, str(number).encode())
        async for piece in data_frames(port.send(snapshot.id, dataset, earlier.id if earlier is not None else "")):
            yield piece
    yield frame(Kind.DONE)
