"""`docker attach`, and the first step of `docker run`."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.domain.container import Status
from zonehost.engine.container.attachments import Attachment
from zonehost.engine.container.log_path import log_path
from zonehost.engine.container.running import check_stays
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_container
from zonehost.errors import Conflict
from zonehost.ports.streams import Stream


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachRequest:
    """What a client wants: `logs` what was written before, `stream` what is written from now on."""

    logs: bool = False
    stream: bool = False
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False


async def attach(host: Host, ref: str, request: AttachRequest) -> Attachment:
    """Join a client to a container; before its start, the client gets all from the first byte.

    Raises:
        NotFound: there is no such container. Conflict: it is paused or between two runs.
    """
    zone = host.containers.find(ref)
    status = zone.record.state.status
    if status is Status.PAUSED:
        raise Conflict(f"container {ref} is paused, unpause the container before attach")
    if status is Status.RESTARTING:
        raise Conflict(f"container {ref} is restarting, wait until the container is running")
    asked = {Stream.STDIN: request.stdin, Stream.STDOUT: request.stdout, Stream.STDERR: request.stderr}
    path = log_path(host, zone.record)
    # What comes from now on comes as a stream.
    until = host.clock.now() if request.stream else 0
    past = host.logs.read(path, until=until) if request.logs and path and zone.record.state.started_at else None
    attachment = Attachment(
        host,
        zone,
        wanted=frozenset(stream for stream, wanted in asked.items() if wanted),
        past=past,
        live=request.stream,
    )
    if request.stream:
        async with zone.lock:
            check_stays(zone)
            if zone.record.state.status is Status.RUNNING:
                attachment.connect(await host.runtime.attach(zone.id))
            else:
                zone.waiting.add(attachment)
    tell_container(host, zone.record, "attach")
    return attachment
