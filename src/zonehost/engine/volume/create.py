"""`docker volume create`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import msgspec

from zonehost.domain.failpoint import failpoint
from zonehost.domain.identity import checked_name, new_id
from zonehost.domain.phase import Phase
from zonehost.domain.snapshot import Dataset
from zonehost.domain.volume import ANONYMOUS_LABEL, Volume
from zonehost.engine.dataset.removal import discard_all_of
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_volume
from zonehost.engine.volume.inspect import VolumeDetail, detail
from zonehost.engine.volume.origin import make_dataset, with_origin
from zonehost.errors import Conflict, NotFound
from zonehost.ports.records import Delete, Put


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeRequest:
    """What a client asks for. Without a name the volume is anonymous."""

    name: str = ""
    driver: str = ""
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


async def create(host: Host, request: VolumeRequest) -> VolumeDetail:
    """Make a volume; one of that name that is there already is the answer, unless it was made otherwise.

    Raises:
        InvalidParameter: the name or an option cannot be. NotFound: there is no such driver.
        Conflict: a volume of that name was made with other options, or is just being made or removed.
        Unsupported: an option that the storage driver does not have.
    """
    name = checked_name(request.name, "volume") if request.name else new_id()
    if request.driver not in ("", "local"):
        why = f'error looking up volume plugin {request.driver}: plugin "{request.driver}" not found'
        raise NotFound(f"create {name}: {why}")
    existing = host.volumes.get(name)
    if existing is not None:
        return detail(host, _same(existing, request))
    volume = with_origin(
        host,
        Volume(
            name=name,
            created=host.clock.now(),
            labels=request.labels if request.name else {**request.labels, ANONYMOUS_LABEL: ""},
            options=request.options or None,
            anonymous=not request.name,
        ),
    )
    host.volumes.put(volume)
    async with AsyncExitStack() as undo:
        undo.push_async_callback(discard, host, volume)
        await host.records.commit(Put(volume))
        failpoint("volume.recorded")
        await make_dataset(host, volume)
        failpoint("volume.dataset")
        whole = msgspec.structs.replace(volume, phase=Phase.WHOLE)
        await host.records.commit(Put(whole))
        undo.pop_all()
    host.volumes.put(whole)
    tell_volume(host, "create", name)
    return detail(host, whole)


async def discard(host: Host, volume: Volume) -> None:
    """Take a volume away, its record last. May be repeated."""
    await host.storage.remove_volume(volume.name)
    await discard_all_of(host, Dataset("volume", volume.name))
    failpoint("volume.discarded")
    await host.records.commit(Delete(Volume.kind, volume.name))
    host.volumes.drop(volume.name)


def _same(existing: Volume, request: VolumeRequest) -> Volume:
    if existing.phase is not Phase.WHOLE:
        raise Conflict(f"volume {existing.name} is just being made or removed")
    if request.options and request.options != (existing.options or {}):
        raise Conflict(
            f"volume {existing.name} exists with other options: remove it first, or create one of another name"
        )
    return existing
