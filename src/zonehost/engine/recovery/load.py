"""Filling the registries from the store."""

from __future__ import annotations

import logging

from zonehost.domain.container import Container
from zonehost.domain.image import Image, Tag
from zonehost.domain.network import Network
from zonehost.domain.phase import Phase
from zonehost.domain.sending import Partial
from zonehost.domain.snapshot import Schedule, Snapshot
from zonehost.domain.volume import Volume
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_daemon
from zonehost.ports.records import Loaded, Record

log = logging.getLogger(__name__)


def load_records(host: Host) -> Loaded:
    """Take in every record that can be read; those that cannot are named, in the log and in events."""
    loaded = host.records.load()
    for record in sorted(loaded.records, key=lambda record: (_leaving(record), _age(record))):
        _take_in(host, record)
    for corrupt in loaded.corrupt:
        fate = "restored from the copy" if corrupt.restored else "set aside"
        log.error("the record of %s %s is damaged and was %s: %s", corrupt.kind, corrupt.key, fate, corrupt.reason)
        tell_daemon(host, "corrupt", kind=corrupt.kind, key=corrupt.key, fate=fate, reason=corrupt.reason)
    for tag in host.images.tags():
        if host.images.get(tag.image) is None:
            log.warning("the name %s is of an image that is not there", tag.name)
            host.images.drop_tag(tag.name)
    return loaded


def _leaving(record: Record) -> bool:
    return isinstance(record, Container) and record.phase is Phase.REMOVING


def _age(record: Record) -> int:
    match record:
        case Image():
            return record.added
        case Tag():
            return record.tagged
        case _:
            return record.created


def _take_in(host: Host, record: Record) -> None:
    match record:
        case Container():
            host.containers.restore(record)
        case Image():
            host.images.add(record)
        case Tag():
            host.images.put_tag(record)
        case Network():
            host.networks.put(record)
        case Volume():
            host.volumes.put(record)
        case Snapshot():
            host.snapshots.put(record)
        case Schedule():
            host.snapshots.plan(record)
        case Partial():
            host.snapshots.keep(record)
