"""Drawing the blueprint of a zone from its container's record: every option of Docker's in the runtime's words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from zonehost.domain.blueprint import (
    BindMount,
    Blueprint,
    Device,
    ImageMount,
    Limits,
    Namespaces,
    Process,
    TmpfsMount,
)
from zonehost.domain.container import Container, MountPoint
from zonehost.domain.host_config import HostConfig
from zonehost.domain.host_config_check import storage_quota
from zonehost.domain.log_config import log_bounds
from zonehost.domain.modes import network_name, other_container
from zonehost.domain.security import capabilities, parse_security_options
from zonehost.engine.container.etc import etc_paths
from zonehost.engine.container.links import linked_variables
from zonehost.engine.container.log_path import log_path
from zonehost.engine.container.populate import root_of
from zonehost.engine.host import Host

DEFAULT_PATH: Final = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TMPFS_DEFAULTS: Final = ("noexec", "nosuid", "nodev")
_OPPOSITES: Final = {"exec": "noexec", "suid": "nosuid", "dev": "nodev"}
_LOG_SLACK: Final = 4
"""The keeper's own bound on a log is so many times the one that the daemon rotates at: it is for when there is none."""


def draw(host: Host, record: Container, *, lent: tuple[str, ...] = ()) -> Blueprint:
    """The blueprint; `lent` are variables for its first process that are in no record.

    Raises:
        InvalidParameter: the record says what cannot be (records are checked when they are made).
        NotFound: an image to be mounted is gone.
    """
    config, wanted = record.config, record.host_config
    security = parse_security_options(wanted.security_opt)
    path = log_path(host, record)
    return Blueprint(
        id=record.id,
        root=root_of(host, record),
        process=_process(host, record, lent, no_new_privileges=security.no_new_privileges),
        namespaces=namespaces_of(record),
        binds=(*bind_mounts(record), *_etc_mounts(host, record)),
        images=image_mounts(host, record),
        tmpfs=_tmpfs_mounts(record),
        shm_size=wanted.shm_size,
        devices=tuple(
            Device(
                source=device.path_on_host,
                destination=device.path_in_container or device.path_on_host,
                permissions=device.cgroup_permissions or "rwm",
            )
            for device in wanted.devices or ()
        ),
        device_rules=wanted.device_cgroup_rules or (),
        hostname=config.hostname,
        domainname=config.domainname,
        sysctls=_sysctls(record),
        masked_paths=wanted.masked_paths or (),
        readonly_paths=wanted.readonly_paths or (),
        seccomp=None if wanted.privileged and security.seccomp == {} else security.seccomp,
        privileged=wanted.privileged,
        limits=limits_of(wanted),
        has_quota=_has_quota(host, record),
        cgroup_parent=wanted.cgroup_parent,
        stdin=config.open_stdin,
        stdin_once=config.stdin_once,
        log=path,
        log_bound=log_bounds(wanted.log_config).max_size * _LOG_SLACK if path else 0,
        annotations=wanted.annotations or {},
    )


def environment(host: Host, record: Container, *, tty: bool) -> tuple[str, ...]:
    """A container's own environment over what Docker puts in front of it; HOME comes from the zone's passwd."""
    terminal = ("TERM=xterm",) if tty else ()
    head = (DEFAULT_PATH, f"HOSTNAME={record.config.hostname}", *terminal, *linked_variables(host, record))
    return overridden(head, record.config.env or ())


def overridden(env: Iterable[str], by: Iterable[str]) -> tuple[str, ...]:
    """The variables, each in its first place with its last value; one of `by` that has no value takes its own away."""
    values = {variable.partition("=")[0]: variable for variable in env}
    for variable in by:
        name, equals, _ = variable.partition("=")
        if equals:
            values[name] = variable
        else:
            values.pop(name, None)
    return tuple(values.values())


def namespaces_of(record: Container) -> Namespaces:
    """Which namespaces are the zone's own."""
    wanted = record.host_config
    network = network_name(wanted.network_mode)
    # The host's network belongs to the host's users: nobody else's root may have a port below 1024 there.
    private_users = wanted.userns_mode != "host" and not wanted.privileged and network != "host"
    return Namespaces(
        user="private" if private_users else "host",
        net=other_container(wanted.network_mode) or ("host" if network == "host" else "private"),
        pid=other_container(wanted.pid_mode) or wanted.pid_mode or "private",
        ipc=other_container(wanted.ipc_mode) or wanted.ipc_mode or "private",
        uts=wanted.uts_mode or "private",
        cgroup=wanted.cgroupns_mode or "private",
    )


def limits_of(wanted: HostConfig) -> Limits:
    """The limits of a HostConfig; nothing is no limit."""
    return Limits(
        memory=wanted.memory,
        memory_reservation=wanted.memory_reservation,
        memory_swap=wanted.memory_swap,
        memory_swappiness=wanted.memory_swappiness,
        oom_kill_disable=bool(wanted.oom_kill_disable),
        cpu_shares=wanted.cpu_shares,
        cpu_quota=wanted.cpu_quota,
        cpu_period=wanted.cpu_period,
        nano_cpus=wanted.nano_cpus,
        cpuset_cpus=wanted.cpuset_cpus,
        cpuset_mems=wanted.cpuset_mems,
        pids=max(wanted.pids_limit or 0, 0),
        blkio_weight=wanted.blkio_weight,
        blkio_weight_device=wanted.blkio_weight_device or (),
        blkio_read_bps=wanted.blkio_device_read_bps or (),
        blkio_write_bps=wanted.blkio_device_write_bps or (),
        blkio_read_iops=wanted.blkio_device_read_iops or (),
        blkio_write_iops=wanted.blkio_device_write_iops or (),
    )


def bind_mounts(record: Container) -> tuple[BindMount, ...]:
    """Host folders and volumes."""
    enclosed = not record.host_config.privileged
    return tuple(_bind(point, enclosed=enclosed) for point in record.mounts if point.type in ("bind", "volume"))


def image_mounts(host: Host, record: Container) -> tuple[ImageMount, ...]:
    """Images seen as folders."""
    return tuple(
        ImageMount(
            layers=host.layers.stack(point.layers or host.images.find(point.source).layers),
            destination=point.destination,
            subpath=point.subpath,
        )
        for point in record.mounts
        if point.type == "image"
    )


def _process(host: Host, record: Container, lent: tuple[str, ...], *, no_new_privileges: bool) -> Process:
    config, wanted = record.config, record.host_config
    own_limits = {limit.name for limit in wanted.ulimits or ()}
    return Process(
        args=(record.path, *record.args),
        env=(*environment(host, record, tty=config.tty), *lent),
        cwd=config.working_dir or "/",
        user=config.user,
        groups=wanted.group_add or (),
        tty=config.tty,
        console_size=wanted.console_size if wanted.console_size != (0, 0) else None,
        capabilities=capabilities(wanted.cap_add, wanted.cap_drop, privileged=wanted.privileged),
        no_new_privileges=no_new_privileges,
        ulimits=(
            *(wanted.ulimits or ()),
            *(limit for limit in host.settings.ulimits if limit.name not in own_limits),
        ),
        oom_score_adj=wanted.oom_score_adj,
        init=bool(wanted.init),
    )


def _has_quota(host: Host, record: Container) -> bool:
    volumes = (host.volumes.get(point.name) for point in record.mounts if point.type == "volume")
    return storage_quota(record.host_config) > 0 or any(volume.limited for volume in volumes if volume is not None)


def _bind(point: MountPoint, *, enclosed: bool) -> BindMount:
    elsewhere, folder = point.image or point.folder, point.folder
    return BindMount(
        source=elsewhere.device if elsewhere is not None else point.source,
        destination=point.destination,
        image=point.image,
        readonly=not point.writable or (folder is not None and folder.readonly),
        recursive=point.recursive if folder is None else folder.recursive,
        recursive_readonly=point.recursive_readonly,
        propagation=point.propagation or "rprivate",
        enclosed=enclosed and point.in_pool,
        subpath=point.subpath,
        own=point.in_pool,
    )


def _etc_mounts(host: Host, record: Container) -> tuple[BindMount, ...]:
    taken = {point.destination for point in record.mounts}
    return tuple(
        BindMount(
            source=source,
            destination=f"/etc/{name}",
            recursive=False,
            readonly=record.host_config.readonly_rootfs,
            enclosed=not record.host_config.privileged,
            own=True,
        )
        for name, source in etc_paths(host, record).items()
        if f"/etc/{name}" not in taken
    )


def _tmpfs_mounts(record: Container) -> tuple[TmpfsMount, ...]:
    asked = dict(record.host_config.tmpfs or {})
    asked.update({point.destination: point.tmpfs_options for point in record.mounts if point.type == "tmpfs"})
    return tuple(
        TmpfsMount(destination=target, options=_tmpfs_options(options)) for target, options in sorted(asked.items())
    )


def _tmpfs_options(text: str) -> tuple[str, ...]:
    words = tuple(filter(None, text.split(",")))
    lifted = {_OPPOSITES[word] for word in words if word in _OPPOSITES}
    return (*(word for word in _TMPFS_DEFAULTS if word not in lifted and word not in words), *words)


def _sysctls(record: Container) -> dict[str, str]:
    """What is asked, and what Docker sets in a network namespace that is the zone's own."""
    if namespaces_of(record).net != "private":
        return record.host_config.sysctls or {}
    # Groups of the zone's user namespace, all of them; the kernel refuses more.
    groups = "0 65535" if namespaces_of(record).user == "private" else "0 2147483647"
    return {
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": groups,
        **(record.host_config.sysctls or {}),
    }
