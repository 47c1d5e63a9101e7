"""What a stream of `zonehost send` will become on this host: names, records, and the base that it continues from."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from zonehost.domain.container import Container, State
from zonehost.domain.identity import checked_name, new_id, short
from zonehost.domain.phase import Phase
from zonehost.domain.sending import Head
from zonehost.domain.snapshot import Dataset, Snapshot
from zonehost.domain.volume import Volume
from zonehost.engine.container.clone import moved
from zonehost.engine.dataset.reference import shown
from zonehost.engine.host import Host
from zonehost.errors import Conflict, InvalidParameter, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The snapshot to be; and where there is no `base`, what it is of, which is then made of it."""

    snapshot: Snapshot
    name: str
    base: Snapshot | None = None
    volumes: tuple[Volume, ...] = ()


def plan(host: Host, head: Head, name: str) -> Plan:
    """The plan for a stream; `name` is empty for the name that it brings.

    Raises:
        InvalidParameter: the head contradicts itself. NotFound: the base is not here. Conflict: something else is.
    """
    for number, dataset in enumerate(head.datasets):
        if dataset.kind == "zone" and (number or head.container is None):
            raise InvalidParameter("the stream's head contradicts itself")
    if not head.datasets:
        raise InvalidParameter("the stream holds nothing")
    return _difference(host, head, name) if head.base is not None else _whole(host, head, name)


def _whole(host: Host, head: Head, given: str) -> Plan:
    """A new container with its volumes, or a new volume."""
    is_zone = head.datasets[0].kind == "zone"
    name = checked_name(given or head.of, "container" if is_zone else "volume")
    if is_zone:
        host.containers.check_name(name)
    known = {volume.name: volume for volume in head.volumes}
    here: dict[str, Volume] = {}
    for dataset in head.datasets:
        if dataset.kind == "volume":
            old = known.get(dataset.name) or Volume(name=dataset.name, created=0)
            here[dataset.name] = _volume(
                host, old, name if not is_zone else f"{given}-{old.name}" if given else old.name
            )
    of = Dataset("zone", new_id()) if is_zone else Dataset("volume", name)
    datasets = tuple(
        of if dataset.kind == "zone" else Dataset("volume", here[dataset.name].name) for dataset in head.datasets
    )
    container = _container(host, head, of.name, name, here) if is_zone else None
    return Plan(snapshot=_snapshot(host, head, of, datasets, container), name=name, volumes=tuple(here.values()))


def _difference(host: Host, head: Head, name: str) -> Plan:
    """A further snapshot of what has the base."""
    assert head.base is not None
    owners = [snapshot for snapshot in host.snapshots if snapshot.phase is Phase.WHOLE]
    owners = [snapshot for snapshot in owners if not name or shown(host, snapshot.of) == name]
    bases = [snapshot for snapshot in owners if snapshot.origin == head.base.id]
    if not bases:
        fitting = [snapshot.name for snapshot in owners if shown(host, snapshot.of) == (name or head.of)]
        advice = f"send it --from {fitting[-1]}, or whole" if fitting else "send it whole"
        raise NotFound(f"the stream continues from snapshot {head.base.name} of {head.of}, which is not here: {advice}")
    base = bases[-1]
    if len(base.datasets) != len(head.datasets):
        raise InvalidParameter("the stream's head contradicts its base")
    if any(snapshot.origin == head.snapshot.id for snapshot in host.snapshots.of(base.of)):
        raise Conflict(f"snapshot {head.snapshot.name} of {head.of} is here already")
    host.snapshots.check_name(base.of, head.snapshot.name)
    here = {
        old.name: Volume(name=new.name, created=0)
        for old, new in zip(head.datasets, base.datasets, strict=True)
        if new.kind == "volume"
    }
    container = None
    if base.of.kind == "zone":
        container = _container(host, head, base.of.name, shown(host, base.of), here)
    return Plan(snapshot=_snapshot(host, head, base.of, base.datasets, container), name=shown(host, base.of), base=base)


def _volume(host: Host, old: Volume, name: str) -> Volume:
    name = new_id() if old.anonymous else checked_name(name, "volume")
    if host.volumes.get(name) is not None:
        raise Conflict(f"there is a volume {name} already: receive under another name")
    size = (old.options or {}).get("size")
    return msgspec.structs.replace(
        old,
        name=name,
        created=host.clock.now(),
        options={"size": size} if size else None,
        origin="",
        phase=Phase.MAKING,
    )


def _container(host: Host, head: Head, identity: str, name: str, here: dict[str, Volume]) -> Container:
    before = head.container
    if before is None:
        raise InvalidParameter("the stream's head has no container")
    hostname = short(identity) if before.config.hostname == before.short else before.config.hostname
    if {point.name for point in before.mounts if point.type == "volume"} != here.keys():
        raise InvalidParameter("the stream's head names other volumes than its container")
    return msgspec.structs.replace(
        before,
        id=identity,
        name=name,
        created=host.clock.now(),
        config=msgspec.structs.replace(before.config, hostname=hostname),
        mounts=tuple(moved(host, point, here) for point in before.mounts),
        phase=Phase.MAKING,
        state=State(),
        restart_count=0,
        origin=head.snapshot.id,
    )


def _snapshot(
    host: Host, head: Head, of: Dataset, datasets: tuple[Dataset, ...], container: Container | None
) -> Snapshot:
    return Snapshot(
        id=new_id(),
        name=checked_name(head.snapshot.name, "snapshot"),
        of=of,
        datasets=datasets,
        created=head.created,
        container=container,
        labels=head.labels,
        sent_as=head.snapshot.id,
    )
