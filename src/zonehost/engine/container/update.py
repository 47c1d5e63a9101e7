"""`docker update`: limits and the restart policy of a container that exists."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from zonehost.domain.host_config import HostConfig, RestartPolicy
from zonehost.domain.resource_check import check_resources
from zonehost.domain.restart_policy import check_restart_policy
from zonehost.engine.container.blueprint import limits_of
from zonehost.engine.container.request_check import capacity
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_container
from zonehost.errors import Conflict, InvalidParameter, Unsupported, explained

_CHANGEABLE: Final = (
    "blkio_weight",
    "cpu_period",
    "cpu_quota",
    "cpu_shares",
    "cpuset_cpus",
    "cpuset_mems",
    "memory",
    "memory_reservation",
    "memory_swap",
    "nano_cpus",
    "pids_limit",
)
_NOTHING: Final = HostConfig()


async def update(host: Host, ref: str, changes: HostConfig) -> tuple[str, ...]:
    """Change what is given; zero leaves a limit as it is. Returns warnings.

    Raises:
        NotFound: there is no such container. InvalidParameter: a value cannot be. Unsupported: something else than
        limits and the restart policy is to change. Conflict: the container is being removed.
    """
    zone = host.containers.find(ref)
    _check_changeable(changes)
    async with zone.lock:
        if zone.record.state.status in ("removing", "dead"):
            raise Conflict('Container is marked for removal and cannot be "update".')
        before = zone.record.host_config
        with explained(f"Cannot update container {zone.id}"):
            wanted = msgspec.structs.replace(before, **_given(before, changes))
        check_resources(wanted, capacity(host), update=True)
        check_restart_policy(wanted)
        if zone.record.state.running and limits_of(wanted) != limits_of(before):
            await host.runtime.update(zone.id, limits_of(wanted))
        await host.keep(zone, msgspec.structs.replace(zone.record, host_config=wanted))
    tell_container(host, zone.record, "update")
    return ()


def _given(before: HostConfig, changes: HostConfig) -> dict[str, Any]:
    given = {name: value for name in _CHANGEABLE if (value := getattr(changes, name)) not in (None, 0, "")}
    if changes.pids_limit is not None:
        given["pids_limit"] = max(changes.pids_limit, 0)
    if changes.restart_policy.name:
        if before.auto_remove and changes.restart_policy.name != "no":
            raise Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
        given["restart_policy"] = changes.restart_policy
    if given.get("nano_cpus") and (before.cpu_quota or before.cpu_period):
        raise Conflict("Conflicting options: Nano CPUs cannot be updated as CPU Quota or Period has already been set")
    if (given.get("cpu_quota") or given.get("cpu_period")) and before.nano_cpus:
        raise Conflict("Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set")
    memory, swap = given.get("memory", 0), given.get("memory_swap", 0)
    if memory and not swap and 0 < before.memory_swap < memory:
        raise Conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
    return given


def _check_changeable(changes: HostConfig) -> None:
    ignored = {*_CHANGEABLE, "restart_policy"}
    for field in msgspec.structs.fields(HostConfig):
        value = getattr(changes, field.name)
        if field.name not in ignored and value != getattr(_NOTHING, field.name) and value:
            raise Unsupported(f"{field.encode_name} of a container cannot be updated")
    if changes.restart_policy != RestartPolicy() and not changes.restart_policy.name:
        raise InvalidParameter("invalid restart policy: the policy has no name")
