"""A container, as inspect shows it."""

from __future__ import annotations

from typing import Any

import msgspec

from zonehost.api.shape.config import config, host_config
from zonehost.api.shape.endpoints import network_settings
from zonehost.api.shape.times import rfc3339
from zonehost.api.version import Version
from zonehost.domain.config import Config
from zonehost.domain.container import Container, Health, MountPoint, State, Status
from zonehost.domain.modes import network_name
from zonehost.engine.container.inspect import Inspected

STORAGE = "overlay2"
"""What Docker calls layers under a writable directory; clients know how to read its `GraphDriver`."""


def inspected(found: Inspected, version: Version) -> dict[str, Any]:
    """`GET /containers/{id}/json`."""
    container = found.container
    answer: dict[str, Any] = {
        "Id": container.id,
        "Created": rfc3339(container.created),
        "Path": container.path,
        "Args": container.args,
        "State": state(container.state),
        "Image": container.image,
        "ResolvConfPath": found.resolv_conf_path,
        "HostnamePath": found.hostname_path,
        "HostsPath": found.hosts_path,
        "LogPath": found.log_path,
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Driver": STORAGE,
        "Platform": container.platform,
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": found.exec_ids or None,
        "HostConfig": {**host_config(container.host_config), "Links": found.links},
        "GraphDriver": {"Data": found.graph, "Name": STORAGE},
        "Mounts": [mount(point) for point in container.mounts],
        "Config": config(_with_address(container)),
        "NetworkSettings": network_settings(container, version),
    }
    if found.size_rw is not None:
        answer["SizeRw"] = found.size_rw
        answer["SizeRootFs"] = found.size_root_fs
    return answer


def _with_address(container: Container) -> Config:
    """The configuration with the hardware address that was asked for the first network: older clients read it there."""
    endpoint = container.endpoints.get(network_name(container.host_config.network_mode))
    asked = container.config.mac_address or (endpoint.asked_mac if endpoint is not None else "")
    return msgspec.structs.replace(container.config, mac_address=asked)


def state(value: State) -> dict[str, Any]:
    """`State`: the status, and Docker's older flags that say the same."""
    answer: dict[str, Any] = {
        "Status": value.status,
        # Docker counts a container that waits for its restart as running.
        "Running": value.running or value.status is Status.RESTARTING,
        "Paused": value.status is Status.PAUSED,
        "Restarting": value.status is Status.RESTARTING,
        "OOMKilled": value.oom_killed,
        "Dead": value.status is Status.DEAD,
        "Pid": value.pid,
        "ExitCode": value.exit_code,
        "Error": value.error or value.blocked,
        "StartedAt": rfc3339(value.started_at),
        "FinishedAt": rfc3339(value.finished_at),
    }
    if value.health is not None:
        answer["Health"] = _health(value.health)
    return answer


def mount(point: MountPoint) -> dict[str, Any]:
    """One of `Mounts`."""
    answer: dict[str, Any] = {"Type": point.type}
    if point.name:
        answer["Name"] = point.name
    answer["Source"] = point.source
    answer["Destination"] = point.destination
    if point.driver:
        answer["Driver"] = point.driver
    answer["Mode"] = point.mode
    answer["RW"] = point.writable
    answer["Propagation"] = point.propagation
    return answer


def _health(value: Health) -> dict[str, Any]:
    return {
        "Status": value.status,
        "FailingStreak": value.failing_streak,
        "Log": [
            {"Start": rfc3339(p.start), "End": rfc3339(p.end), "ExitCode": p.exit_code, "Output": p.output}
            for p in value.log
        ],
    }
