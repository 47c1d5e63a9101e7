"""Whether the rest of a HostConfig can be: what is not of resources, namespaces, mounts, ports or logs."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from zonehost.domain.host_config import DeviceRequest, HostConfig
from zonehost.domain.log_config import parse_size
from zonehost.domain.modes import network_name
from zonehost.domain.security import capabilities, parse_security_options
from zonehost.errors import InvalidParameter, NotFound, Unsupported

RUNTIME: Final = "crun"
HOST_GATEWAY: Final = "host-gateway"
_DEVICE_RULE: Final = re.compile(r"[acb] (?:\d+|\*):(?:\d+|\*) [rwm]{1,3}")
_DEVICE_PERMISSIONS: Final = re.compile(r"[rwm]{1,3}")
_IPC_SYSCTLS: Final = frozenset(
    {
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    }
)
_TMPFS_FLAGS: Final = (
    "ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime noatime diratime nodiratime "
    "bind rbind private rprivate relatime norelatime strictatime nostrictatime noswap"
)
_TMPFS_PROPAGATIONS: Final = frozenset({"unbindable", "runbindable", "shared", "rshared", "slave", "rslave"})
_TMPFS_VALUES: Final = frozenset({"mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol", "size", "huge"})


def check_host_config(host: HostConfig) -> None:
    """Look through the fields.

    Raises:
        InvalidParameter: one is wrong; the message names it.
        NotFound: a driver that it names is not here.
        Unsupported: it asks for what zonehost does not do.
    """
    if host.runtime not in ("", RUNTIME):
        raise InvalidParameter(f"unknown or invalid runtime name: {host.runtime}")
    if host.isolation not in ("", "default"):
        raise InvalidParameter(f"invalid isolation ({host.isolation}): linux only supports 'default'")
    if host.cgroup:
        raise Unsupported("Cgroup is not supported")
    if host.volume_driver not in ("", "local"):
        raise NotFound(f'error looking up volume plugin {host.volume_driver}: plugin "{host.volume_driver}" not found')
    if host.shm_size < 0:
        raise InvalidParameter("SHM size can not be less than 0")
    if not -1000 <= host.oom_score_adj <= 1000:
        raise InvalidParameter(f"Invalid value {host.oom_score_adj}, range for oom score adj is [-1000, 1000]")
    if "" in (host.annotations or {}):
        raise InvalidParameter("invalid Annotations: the empty string is not permitted as an annotation key")
    _check_cgroup_parent(host.cgroup_parent)
    capabilities(host.cap_add, host.cap_drop, privileged=host.privileged)
    parse_security_options(host.security_opt)
    _check_devices(host)
    _check_sysctls(host)
    for text in host.extra_hosts or ():
        parse_extra_host(text)
    for server in host.dns or ():
        _check_address(server, "dns")
    for target, options in (host.tmpfs or {}).items():
        check_tmpfs_options(target, options)
    storage_quota(host)
    for path in (*(host.masked_paths or ()), *(host.readonly_paths or ())):
        if not path.startswith("/"):
            raise InvalidParameter(f"invalid path {path}: it needs to be absolute")


def parse_extra_host(text: str) -> tuple[str, str]:
    """Read `name:address` (or `name=address`); the address may be `host-gateway`.

    Raises:
        InvalidParameter: it is badly written.
    """
    name, separator, address = text.partition("=" if "=" in text else ":")
    if not separator or not name or not address:
        raise InvalidParameter(f'bad format for add-host: "{text}"')
    bare = address.removeprefix("[").removesuffix("]")
    if bare != HOST_GATEWAY:
        _check_address(bare, "add-host")
    return name, bare


def check_tmpfs_options(target: str, options: str) -> None:
    """Look through the options of a `--tmpfs`.

    Raises:
        InvalidParameter: one is unknown. Unsupported: one asks for another propagation than private.
    """
    for option in filter(None, options.split(",")):
        if option in _TMPFS_PROPAGATIONS:
            raise Unsupported(f"tmpfs {target}: option {option} is not supported")
        name, equals, value = option.partition("=")
        if option not in _TMPFS_FLAGS.split() and not (equals and value and name in _TMPFS_VALUES):
            raise InvalidParameter(f'invalid tmpfs option ["{option}"]')


def storage_quota(host: HostConfig) -> int:
    """Bytes that `--storage-opt size=` asks for, 0 for none.

    Raises:
        InvalidParameter: an unknown option or a badly written size.
    """
    for option in host.storage_opt or {}:
        if option != "size":
            raise InvalidParameter(f"unknown storage option: {option}")
    text = (host.storage_opt or {}).get("size")
    return 0 if text is None else parse_size(text, "storage option size")


def _check_cgroup_parent(parent: str) -> None:
    if any(part in (".", "..") for part in parent.split("/")) or "\0" in parent:
        raise InvalidParameter(f"invalid cgroup parent: {parent}")


def _check_devices(host: HostConfig) -> None:
    for device in host.devices or ():
        if not device.path_on_host.startswith("/"):
            raise InvalidParameter(f"invalid device path: '{device.path_on_host}' device path must be absolute")
        if device.cgroup_permissions and _DEVICE_PERMISSIONS.fullmatch(device.cgroup_permissions) is None:
            raise InvalidParameter(f"invalid device mode: {device.cgroup_permissions}")
    for rule in host.device_cgroup_rules or ():
        if _DEVICE_RULE.fullmatch(rule) is None:
            raise InvalidParameter(f"invalid device cgroup rule format: '{rule}'")
    for request in host.device_requests or ():
        raise InvalidParameter(_no_device_driver(request))


def _no_device_driver(request: DeviceRequest) -> str:
    groups = " ".join(f"[{' '.join(group)}]" for group in request.capabilities or ())
    return f'could not select device driver "{request.driver}" with capabilities: [{groups}]'


def _check_sysctls(host: HostConfig) -> None:
    for name in host.sysctls or {}:
        plain = name.replace("/", ".") if "." not in name.partition("/")[0] else name
        if "" in plain.replace("/", ".").split("."):  # to a runtime, `..` or `//` may be the folder above
            raise InvalidParameter(f'sysctl "{name}" is not in a separate kernel namespace')
        if plain in _IPC_SYSCTLS or plain.startswith("fs.mqueue."):
            if host.ipc_mode == "host":
                raise InvalidParameter(f'sysctl "{name}" is not allowed in the hosts ipc namespace')
        elif plain.startswith("net."):
            if network_name(host.network_mode) == "host":
                raise InvalidParameter(f'sysctl "{name}" not allowed in host network namespace')
        elif plain in ("kernel.domainname", "kernel.hostname"):
            if host.uts_mode == "host":
                raise InvalidParameter(f'sysctl "{name}" is not allowed in the hosts uts namespace')
        else:
            raise InvalidParameter(f'sysctl "{name}" is not in a separate kernel namespace')


def _check_address(text: str, option: str) -> None:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        raise InvalidParameter(f'invalid IP address in {option}: "{text}"') from None
