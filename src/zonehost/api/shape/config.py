"""`Config` and `HostConfig` of a container, as inspect shows them."""

from __future__ import annotations

from typing import Any, Final

from zonehost.api.shape.lean import lean
from zonehost.domain.config import Config
from zonehost.domain.host_config import HostConfig

_CONFIG_OMITTED: Final = (
    "ExposedPorts",
    "Healthcheck",
    "ArgsEscaped",
    "NetworkDisabled",
    "MacAddress",
    "StopSignal",
    "StopTimeout",
    "Shell",
)
_HOST_OMITTED: Final = (
    "Annotations",
    "StorageOpt",
    "Tmpfs",
    "Sysctls",
    "Mounts",
    "Init",
    "KernelMemory",
    "KernelMemoryTCP",
)
_HOST_LISTS: Final = (
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "BlkioWeightDevice",
    "BlkioDeviceReadBps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteIOps",
    "Devices",
    "Ulimits",
)
_MOUNT_OPTIONS: Final = ("BindOptions", "VolumeOptions", "ImageOptions", "TmpfsOptions")
_MOUNT_OMITTED: Final = ("Source", "Target", "ReadOnly", "Consistency", *_MOUNT_OPTIONS)


def config(value: Config) -> dict[str, Any]:
    """A container's configuration that does not depend on the host."""
    raw: dict[str, Any] = lean(value, omit=_CONFIG_OMITTED, lists=("Env",), maps=("Labels",))
    if value.stop_timeout == 0:
        raw["StopTimeout"] = 0
    return raw


def host_config(value: HostConfig) -> dict[str, Any]:
    """A container's configuration that depends on the host."""
    raw: dict[str, Any] = lean(value, omit=_HOST_OMITTED, lists=_HOST_LISTS, maps=("PortBindings",))
    raw["ConsoleSize"] = value.console_size or [0, 0]
    if raw["LogConfig"]["Config"] is None:
        raw["LogConfig"]["Config"] = {}
    if value.init is False:
        raw["Init"] = False
    for mount in raw.get("Mounts", ()):
        for name in _MOUNT_OMITTED:
            if not mount[name]:
                del mount[name]
        for name in _MOUNT_OPTIONS:
            if name in mount:
                mount[name] = {key: inner for key, inner in mount[name].items() if inner}
    return raw
