"""`docker logs`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from zonehost.domain.container import Container
from zonehost.domain.log_attributes import log_attributes
from zonehost.engine.container.log_path import log_path
from zonehost.engine.container.log_tag import tag_fields
from zonehost.engine.host import Host
from zonehost.engine.state.zone import Zone
from zonehost.errors import InvalidParameter, Unsupported
from zonehost.ports.logs import LogLine
from zonehost.ports.streams import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsRequest:
    """Which lines; times in nanoseconds since the epoch (0: open), `tail` lines from the end (-1: all)."""

    stdout: bool
    stderr: bool
    follow: bool = False
    since: int = 0
    until: int = 0
    tail: int = -1


@dataclass(frozen=True, slots=True)
class LogReader:
    """The lines in batches, oldest first; `tty` tells that they are all of one raw stream.

    `details` is what log options ask to be told with each line.
    """

    tty: bool
    details: str
    batches: AsyncIterator[list[LogLine]]


async def logs(host: Host, ref: str, request: LogsRequest) -> LogReader:
    """Read a container's log; with `follow`, on until the container ends.

    Raises:
        NotFound: there is no such container. InvalidParameter: no stream is asked for. Unsupported: it keeps no log.
    """
    zone = host.containers.find(ref)
    if not (request.stdout or request.stderr):
        raise InvalidParameter("Bad parameters: you must choose at least one stream")
    path = log_path(host, zone.record)
    if path is None:
        raise Unsupported("configured logging driver does not support reading")
    return LogReader(zone.record.config.tty, _details(host, zone.record), _read(host, zone, path, request))


def _details(host: Host, record: Container) -> str:
    wanted = record.host_config.log_config
    if wanted.type != "json-file":
        return ""
    return log_attributes(wanted.config or {}, record.config, tag_fields(host, record))


async def _read(host: Host, zone: Zone, path: str, request: LogsRequest) -> AsyncIterator[list[LogLine]]:
    async def ended() -> None:
        if zone.record.state.running:
            await asyncio.shield(zone.exits.next())

    follow = ended if request.follow and zone.record.state.running else None
    batches = host.logs.read(path, since=request.since, until=request.until, tail=request.tail, follow=follow)
    wanted = {stream for stream, asked in ((Stream.STDOUT, request.stdout), (Stream.STDERR, request.stderr)) if asked}
    async for batch in batches:
        lines = batch if len(wanted) == 2 else [line for line in batch if line.stream in wanted]
        if lines:
            yield lines
