"""What a reference such as `web` or `web@monday` means: a container or a volume, and a snapshot of it."""

from __future__ import annotations

from collections.abc import Sequence

from zonehost.domain.snapshot import Dataset, Snapshot
from zonehost.domain.volume import host_folder, image_file
from zonehost.engine.host import Host
from zonehost.errors import Conflict, InvalidParameter, NotFound, Unsupported
from zonehost.ports.snapshots import Snapshots


def split(reference: str) -> tuple[str, str]:
    """The name of the dataset, and the one of the snapshot; empty if there is none."""
    dataset, _, snapshot = reference.partition("@")
    return dataset, snapshot


def find_dataset(host: Host, ref: str) -> Dataset:
    """The container, by name or id, or else the volume of that name.

    Raises:
        NotFound: there is neither. Unsupported: the volume is an image file.
    """
    try:
        return Dataset("zone", host.containers.find(ref).id)
    except NotFound:
        if host.volumes.get(ref) is None:
            raise NotFound(f"no such container or volume: {ref}") from None
    return volume_dataset(host, ref)


def volume_dataset(host: Host, name: str) -> Dataset:
    """The volume of that name. Raises NotFound if there is none, Unsupported if it is no dataset."""
    volume = host.volumes.find(name)
    if image_file(volume.options) is not None:
        raise Unsupported(f"volume {name} is an image file and no dataset: it has no snapshots")
    if host_folder(volume.options) is not None:
        raise Unsupported(f"volume {name} is a folder of the host and no dataset: it has no snapshots")
    return Dataset("volume", name)


def find_snapshot(host: Host, reference: str) -> Snapshot:
    """The snapshot that `NAME@SNAPSHOT` means.

    Raises:
        InvalidParameter: no snapshot is named. NotFound: there is none of that name.
    """
    ref, name = split(reference)
    if not name:
        raise InvalidParameter(f'"{reference}" names no snapshot: write {ref}@SNAPSHOT')
    return host.snapshots.find(find_dataset(host, ref), name)


def with_volumes(host: Host, dataset: Dataset) -> tuple[Dataset, ...]:
    """The dataset, and if it is a zone the volumes that are mounted in it, if they are datasets."""
    zone = host.containers.get(dataset.name) if dataset.kind == "zone" else None
    if zone is None:
        return (dataset,)
    mounts = zone.record.mounts
    names = {point.name: None for point in mounts if point.in_pool}
    return (dataset, *(Dataset("volume", name) for name in names))


def shown(host: Host, dataset: Dataset) -> str:
    """The name by which people know the dataset."""
    zone = host.containers.get(dataset.name) if dataset.kind == "zone" else None
    return zone.record.name if zone is not None else dataset.name


def snapshotter(host: Host, what: str) -> Snapshots:
    """The port. Raises Unsupported, with `what` was asked for, if the storage driver has no snapshots."""
    if host.snapshotter is None:
        raise Unsupported(f"{what}: the storage driver {host.storage.name} does not have it")
    return host.snapshotter


async def check_whole(host: Host, datasets: Sequence[Dataset]) -> None:
    """Whether a snapshot can hold all that is in the datasets, and a rollback bring it back.

    Raises:
        Conflict: a zone has made datasets of its own inside one.
    """
    for dataset in await snapshotter(host, "a snapshot").with_children(datasets):
        raise Conflict(
            f"{dataset.kind} {shown(host, dataset)} has datasets of its own inside, which a snapshot does not hold and"
            " a rollback would destroy: have the zone itself take snapshots of them, or delete them"
        )
