"""`zonehost send`: a snapshot with all that belongs to it, as a stream that another host can receive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from zonehost.domain.container import Container
from zonehost.domain.frames import MAGIC, Kind, frame
from zonehost.domain.sending import Head, Origin, Token, parse_token
from zonehost.domain.snapshot import Dataset, Snapshot
from zonehost.engine.dataset.frames import write_data
from zonehost.engine.dataset.reference import find_dataset, shown, snapshotter, split
from zonehost.engine.dataset.snapshot import take
from zonehost.engine.host import Host
from zonehost.errors import Conflict, InvalidParameter, NotFound, Unsupported
from zonehost.ports.snapshots import Snapshots
from zonehost.ports.streams import ByteStream

_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Sending:
    """A stream that is ready to be written."""

    _host: Host
    _port: Snapshots
    head: Head
    _snapshot: Snapshot
    _base: str

    async def write(self, stream: ByteStream) -> None:
        """Write all of it.

        Raises:
            InvalidParameter: it cannot be continued; nothing was written. SystemFailure: nobody reads it any more.
        """
        prologue = MAGIC + frame(Kind.HEAD, msgspec.json.encode(self.head))
        if self.head.layers:
            await stream.write(prologue)
            prologue = b""
        for layer in self.head.layers:
            await stream.write(frame(Kind.LAYER, layer.encode()))
            await write_data(stream, self._host.layers.pack(layer))
        await self._port.send(
            self._snapshot.id,
            self._snapshot.datasets,
            stream.descriptor,
            base=self._base,
            prologue=prologue,
            position=self.head.position,
        )


async def prepare(
    host: Host, reference: str, *, base: str = "", layers: bool = False, measured: bool = False
) -> Sending:
    """The stream of `NAME@SNAPSHOT`; of `NAME` a snapshot is taken first. With `base`, only what changed since.

    `layers` has the layers of the container's image sent along, which else the receiver must have. A `measured` one
    says in its head how large it will be.

    Raises:
        NotFound: there is no such thing. Conflict: the base has other volumes than the snapshot.
        Unsupported: the storage driver has no snapshots, or a volume is an image file.
    """
    port = snapshotter(host, "send")
    ref, name = split(reference)
    of = find_dataset(host, ref)
    _check_volumes(host, of)
    earlier = host.snapshots.find(of, base) if base else None
    if not name:
        now = host.clock.now()
        name = datetime.fromtimestamp(now / _SECOND, UTC).strftime("sent-%Y%m%d-%H%M%S-%f")
        await take(host, of, name)
    snapshot = host.snapshots.find(of, name)
    if earlier is not None and earlier.datasets != snapshot.datasets:
        raise Conflict(f"the volumes of {ref} are not those of snapshot {base}: send it whole")
    head = _head(host, of, snapshot, earlier, layers=layers)
    earlier_id = earlier.id if earlier is not None else ""
    if measured:
        size = await port.measure(snapshot.id, snapshot.datasets, earlier_id)
        head = msgspec.structs.replace(head, size=size)
    return Sending(host, port, head, snapshot, earlier_id)


async def prepare_rest(host: Host, text: str) -> Sending:
    """What is still to be sent of a stream that was cut; `text` is the token that the receiver gave.

    Raises:
        InvalidParameter: that is no token. NotFound: the snapshot or its base is no longer here.
    """
    port, token = snapshotter(host, "send"), parse_token(text)
    snapshot, earlier = _known(host, token)
    head = _head(host, snapshot.of, snapshot, earlier, layers=False)
    head = msgspec.structs.replace(head, transfer=token.transfer, position=token.position)
    return Sending(host, port, head, snapshot, earlier.id if earlier is not None else "")


def _known(host: Host, token: Token) -> tuple[Snapshot, Snapshot | None]:
    by_origin = {snapshot.origin: snapshot for snapshot in host.snapshots}
    for origin in (token.snapshot, *([token.base] if token.base is not None else [])):
        if origin.id not in by_origin:
            raise NotFound(f"snapshot {origin.name} of {token.of} is not here (any more): send another one, anew")
    snapshot = by_origin[token.snapshot.id]
    if not 0 <= token.position.dataset <= len(snapshot.datasets):
        raise InvalidParameter("this is no token of that snapshot")
    return snapshot, by_origin[token.base.id] if token.base is not None else None


def _check_volumes(host: Host, of: Dataset) -> None:
    zone = host.containers.get(of.name) if of.kind == "zone" else None
    for point in zone.record.mounts if zone is not None else ():
        if point.type == "volume" and not point.in_pool:
            what = "an image file" if point.image is not None else "a folder of the host"
            raise Unsupported(f"send: volume {point.name} is {what}, and no part of a snapshot")


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
