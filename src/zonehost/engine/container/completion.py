"""A HostConfig with every default put in, so that inspect shows what is obeyed."""

from __future__ import annotations

import msgspec

from zonehost.domain.host_config import HostConfig, LogConfig
from zonehost.domain.host_config_check import RUNTIME
from zonehost.domain.log_config import DEFAULT_DRIVER
from zonehost.domain.modes import other_container
from zonehost.domain.security import MASKED_PATHS, READONLY_PATHS
from zonehost.engine.host import Host
from zonehost.errors import InvalidParameter, NotFound


def complete_host_config(host: Host, asked: HostConfig) -> HostConfig:
    """What was asked, and the defaults; other containers by their ids, so that a rename does not break the tie.

    Raises:
        InvalidParameter: a container whose PID or IPC namespace is to be shared is not there.
    """
    swap = asked.memory * 2 if asked.memory > 0 and asked.memory_swap == 0 else asked.memory_swap
    return msgspec.structs.replace(
        asked,
        memory_swap=swap,
        memory_swappiness=None if asked.memory_swappiness == -1 else asked.memory_swappiness,
        pids_limit=asked.pids_limit if (asked.pids_limit or 0) > 0 else None,
        shm_size=asked.shm_size or host.settings.shm_size,
        storage_opt=asked.storage_opt or host.settings.storage_opt or None,
        runtime=asked.runtime or RUNTIME,
        network_mode="bridge" if asked.network_mode in ("", "default") else _by_id(host, asked.network_mode),
        ipc_mode=_of_one_that_is(host, asked.ipc_mode) or "private",
        pid_mode=_of_one_that_is(host, asked.pid_mode),
        cgroupns_mode=asked.cgroupns_mode or _default_cgroup_namespace(host, asked),
        oom_kill_disable=bool(asked.oom_kill_disable),
        restart_policy=msgspec.structs.replace(asked.restart_policy, name=asked.restart_policy.name or "no"),
        log_config=_log_config(host, asked.log_config),
        init=asked.init if asked.init is not None or not host.settings.init else True,
        masked_paths=_paths(asked.masked_paths, MASKED_PATHS, privileged=asked.privileged),
        readonly_paths=_paths(asked.readonly_paths, READONLY_PATHS, privileged=asked.privileged),
    )


def _by_id(host: Host, mode: str) -> str:
    other = other_container(mode)
    if not other:
        return mode
    try:
        return f"container:{host.containers.find(other).id}"
    except NotFound:
        # As in Docker, it is the start that fails.
        return mode


def _of_one_that_is(host: Host, mode: str) -> str:
    try:
        return f"container:{host.containers.find(other).id}" if (other := other_container(mode)) else mode
    except NotFound as error:
        # The docker command takes a 404 of a create for an image that is to be pulled.
        raise InvalidParameter(str(error)) from None


def _default_cgroup_namespace(host: Host, asked: HostConfig) -> str:
    return "host" if asked.privileged and host.machine.facts.cgroup_version == 1 else "private"


def _log_config(host: Host, asked: LogConfig) -> LogConfig:
    if not asked.type:
        default = host.settings.log
        return LogConfig(type=default.type or DEFAULT_DRIVER, config={**(default.config or {}), **(asked.config or {})})
    return LogConfig(type=asked.type, config=asked.config or {})


def _paths(asked: tuple[str, ...] | None, default: tuple[str, ...], *, privileged: bool) -> tuple[str, ...] | None:
    if asked is not None:
        return asked
    return None if privileged else default
