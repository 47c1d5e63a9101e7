"""`zonehost receive`: takes in a stream of `zonehost send`; nothing of it is seen before all of it is here.

A whole snapshot becomes a container or a volume, with that snapshot. A difference becomes a further snapshot of what
has its base: what runs there is left alone, and goes over to it by a clone or a rollback.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

import msgspec

from zonehost.domain.failpoint import failpoint
from zonehost.domain.frames import Kind
from zonehost.domain.host_config_check import storage_quota
from zonehost.domain.identity import new_id
from zonehost.domain.log_config import parse_size
from zonehost.domain.phase import Phase
from zonehost.domain.reference import parse_reference
from zonehost.domain.sending import Head
from zonehost.domain.snapshot import Dataset
from zonehost.engine.container.discard import discard
from zonehost.engine.container.receive_plan import Plan, plan
from zonehost.engine.dataset.frames import Frame, FrameReader
from zonehost.engine.dataset.partial import keep, resume
from zonehost.engine.dataset.reference import snapshotter
from zonehost.engine.dataset.removal import discard as discard_snapshot
from zonehost.engine.host import Host
from zonehost.engine.image.intake import take_in
from zonehost.engine.image.sweep import taking_in
from zonehost.engine.state.zone import Zone
from zonehost.engine.volume.create import discard as discard_volume
from zonehost.errors import Conflict, InvalidParameter, NotFound
from zonehost.ports.records import Put
from zonehost.ports.snapshots import Snapshots
from zonehost.ports.streams import ByteStream


class CutShort(InvalidParameter):
    """The stream was cut, or a checksum is wrong; the message ends in the token that continues it."""


@dataclass(frozen=True, slots=True)
class Received:
    """The name of the container or volume, and of its new snapshot."""

    name: str
    snapshot: str


async def receive(host: Host, stream: ByteStream, name: str = "") -> Received:
    """Take in a stream; `name` is for the new container or volume, which else is called as where it comes from.

    Raises:
        InvalidParameter: the stream is damaged, cut, or of a newer version. Where it can be continued, `CutShort`.
        Conflict: a name is taken, or the snapshot is here already.
        NotFound: the base is not here, or a layer that the stream does not bring; says which one would do.
    """
    port = snapshotter(host, "receive")
    reader = FrameReader(stream)
    await reader.begin()
    head = _head(await reader.next(Kind.HEAD))
    partial = await resume(host, head) if head.transfer else None
    transfer = partial.id if partial is not None else new_id()
    name = partial.name if partial is not None else name
    async with AsyncExitStack() as undo:
        undo.push_async_callback(port.give_up, transfer)
        wanted = plan(host, head, name)
        await _take_image(host, reader, head)
        intake = await port.receive(transfer, stream.descriptor, _bases(wanted), head.position)
        if intake.trouble:
            cut = await keep(host, transfer, name, head, intake.position)
            undo.pop_all()
            raise CutShort(f"{intake.trouble}; to go on, send --resume {cut.token}")
        failpoint("receive.whole")
        await _publish(host, port, transfer, wanted)
    return Received(wanted.name, head.snapshot.name)


def _bases(wanted: Plan) -> list[tuple[str, Dataset] | None]:
    """Where each dataset continues from."""
    if wanted.base is None:
        return [None] * len(wanted.snapshot.datasets)
    return [(wanted.base.id, dataset) for dataset in wanted.base.datasets]


def _head(frame: Frame) -> Head:
    try:
        return msgspec.json.decode(frame.body, type=Head)
    except msgspec.DecodeError as error:
        raise InvalidParameter(f"the stream's head cannot be read: {error}") from error


async def _take_image(host: Host, reader: FrameReader, head: Head) -> None:
    """The layers that the stream brings; with all that it needs here, the image too."""
    async with taking_in(host) as came:
        for _ in head.layers:
            diff_id = (await reader.next(Kind.LAYER)).body.decode(errors="replace")
            if host.layers.get(diff_id) is not None:
                async for _data in reader.data():
                    pass
            else:
                came.add((await host.layers.unpack(reader.data(), diff_id=diff_id)).diff_id)
        needed = head.container.layers if head.container is not None else ()
        layers = []
        for diff_id in needed:
            layer = host.layers.get(diff_id)
            if layer is None:
                raise NotFound(f"layer {diff_id} of the stream's image is not here: pull the image, or send --layers")
            layers.append(layer)
        if head.image:
            free = [name for name in head.image_names if host.images.tagged(name) is None]
            await take_in(host, head.image, layers, [parse_reference(name) for name in free])


async def _publish(host: Host, port: Snapshots, transfer: str, wanted: Plan) -> None:
    """Make everything of it that clients will see: recorded as on its way first, whole at the end."""
    snapshot = wanted.snapshot
    async with AsyncExitStack() as held, AsyncExitStack() as undo:
        zone = None
        if wanted.base is None:
            for volume in wanted.volumes:
                if host.volumes.get(volume.name) is not None:  # of another stream, that came at the same time
                    raise Conflict(f"there is a volume {volume.name} already: receive under another name")
            if snapshot.container is not None:
                zone = host.containers.add(snapshot.container)
                await held.enter_async_context(zone.lock)
                undo.push_async_callback(discard, host, zone, wanted.volumes)
            for volume in wanted.volumes:
                host.volumes.put(volume)
                if zone is None:
                    undo.push_async_callback(discard_volume, host, volume)
        host.snapshots.put(snapshot)
        undo.push_async_callback(discard_snapshot, host, snapshot)
        made = [zone.record] if zone is not None else []
        await host.records.commit(*map(Put, made), *map(Put, wanted.volumes), Put(snapshot))
        failpoint("receive.recorded")
        await port.publish(transfer, snapshot.id, snapshot.datasets)
        failpoint("receive.published")
        if wanted.base is None:
            await _clone_all(host, port, wanted)
            failpoint("receive.cloned")
        await _finish(host, wanted, zone)
        undo.pop_all()


async def _clone_all(host: Host, port: Snapshots, wanted: Plan) -> None:
    """What was received, once more, as what is written to from now on."""
    snapshot = wanted.snapshot
    sizes = {volume.name: (volume.options or {}).get("size") for volume in wanted.volumes}
    anonymous = {volume.name for volume in wanted.volumes if volume.anonymous}
    for dataset in snapshot.datasets:
        if dataset.kind == "zone" and snapshot.container is not None:
            quota = storage_quota(snapshot.container.host_config)
            await port.clone(snapshot.id, dataset, dataset, quota=quota)
        else:
            size = sizes.get(dataset.name)
            quota = parse_size(size, "size") if size else 0
            within = snapshot.of.name if dataset.name in anonymous else ""
            await port.clone(snapshot.id, dataset, Dataset("volume", dataset.name), quota=quota, zone=within)


async def _finish(host: Host, wanted: Plan, zone: Zone | None) -> None:
    whole = msgspec.structs.replace(wanted.snapshot, phase=Phase.WHOLE)
    volumes = [msgspec.structs.replace(volume, phase=Phase.WHOLE) for volume in wanted.volumes]
    if zone is not None:
        record = msgspec.structs.replace(zone.record, phase=Phase.WHOLE)
        await host.keep(zone, record, *map(Put, volumes), Put(whole))
    else:
        await host.records.commit(*map(Put, volumes), Put(whole))
    for volume in volumes:
        host.volumes.put(volume)
    host.snapshots.put(whole)
