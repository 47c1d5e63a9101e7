"""How the end of a zone is written into its container's state, and told."""

from __future__ import annotations

from typing import Final

import msgspec

from zonehost.domain.container import Container, State, Status
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_container, tell_network, tell_volume
from zonehost.ports.runtime import Exit

_SECOND: Final = 1_000_000_000


def ended_state(record: Container, ended: Exit) -> State:
    """The state of a container after its zone's end."""
    health = record.state.health
    return State(
        status=Status.EXITED,
        exit_code=ended.code,
        error="the keeper of the zone died: the exit code is a guess" if ended.lost else "",
        oom_killed=ended.oom_killed,
        started_at=record.state.started_at,
        finished_at=ended.time,
        stopped_by_hand=record.state.stopped_by_hand,
        health=msgspec.structs.replace(health, status="unhealthy") if health is not None else None,
    )


def tell_end(host: Host, record: Container, ended: Exit) -> None:
    """Tell what ended with the zone; the record is that of its run."""
    if ended.oom_killed:
        tell_container(host, record, "oom")
    seconds = max(0, ended.time - record.state.started_at) // _SECOND
    tell_container(host, record, "die", exitCode=str(ended.code), execDuration=str(seconds))
    for endpoint in record.endpoints.values():
        network = host.networks.get(endpoint.network)
        if network is not None:
            tell_network(host, "disconnect", network, container=record.id)
    for point in record.mounts:
        if point.type == "volume":
            tell_volume(host, "unmount", point.name, container=record.id)
