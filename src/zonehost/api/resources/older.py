"""What a `POST /containers/create` of an older API means in today's: fields it did not have, and defaults that changed.

After Docker's own rules (daemon/server/router/container of Moby); a field is refused where to drop it could do harm.
"""

from __future__ import annotations

from msgspec.structs import replace

from zonehost.api.resources.requests import ContainerCreate
from zonehost.api.version import Version
from zonehost.domain.host_config import BindOptions, HostConfig, Mount
from zonehost.errors import InvalidParameter

READONLY_TO_THE_LEAVES = (1, 44)
"""The version from which a read-only bind mount makes the mounts below it read-only too."""


def as_of_today(body: ContainerCreate, version: Version) -> ContainerCreate:
    """The body as a client of today would send it.

    Raises:
        InvalidParameter: it asks for what that version did not have, and what may not be dropped.
    """
    if version >= (1, 48):
        return body
    _check(body, version)
    if version < (1, 44) and body.healthcheck is not None:
        body = replace(body, healthcheck=replace(body.healthcheck, start_interval=0))
    endpoints = body.networking_config.endpoints_config or {}
    networking = replace(
        body.networking_config,
        endpoints_config={name: settings and replace(settings, gw_priority=0) for name, settings in endpoints.items()},
    )
    return replace(body, networking_config=networking, host_config=_host_config(body.host_config, version))


def _check(body: ContainerCreate, version: Version) -> None:
    endpoints = body.networking_config.endpoints_config or {}
    if version < (1, 44) and len(endpoints) > 1:
        raise InvalidParameter(
            f"Container cannot be created with multiple network endpoints: {', '.join(sorted(endpoints))}"
        )
    for mount in body.host_config.mounts or ():
        if version < (1, 44) and mount.bind_options is not None and mount.bind_options.read_only_force_recursive:
            raise InvalidParameter("BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer")
        if version < (1, 45) and mount.volume_options is not None and mount.volume_options.subpath:
            raise InvalidParameter("VolumeOptions.Subpath needs API v1.45 or newer")
        if mount.type == "image":
            raise InvalidParameter('Mount type "Image" needs API v1.48 or newer')


def _host_config(host: HostConfig, version: Version) -> HostConfig:
    if version < (1, 25):
        host = replace(host, auto_remove=False)
    if version < (1, 40) and not host.ipc_mode:
        host = replace(host, ipc_mode="shareable")
    if version < (1, 42):
        host = replace(host, console_size=None)
    if version < (1, 43):
        host = replace(host, annotations=None)
    return replace(host, mounts=tuple(_mount(mount, version) for mount in host.mounts)) if host.mounts else host


def _mount(mount: Mount, version: Version) -> Mount:
    if version < (1, 42):
        mount = replace(
            mount,
            volume_options=mount.volume_options if mount.type == "volume" else None,
            tmpfs_options=mount.tmpfs_options if mount.type == "tmpfs" else None,
            bind_options=mount.bind_options and replace(mount.bind_options, create_mountpoint=False),
        )
    if version < (1, 40):
        mount = replace(mount, bind_options=mount.bind_options and replace(mount.bind_options, non_recursive=False))
    if version < READONLY_TO_THE_LEAVES and mount.type == "bind" and mount.read_only:
        mount = replace(mount, bind_options=replace(mount.bind_options or BindOptions(), read_only_non_recursive=True))
    return mount
