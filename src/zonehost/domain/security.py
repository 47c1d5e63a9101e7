"""What a zone's processes may do: capabilities and the options of `--security-opt`.

The default capabilities are those that Docker gives (its documentation, "Runtime privilege and Linux capabilities").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from zonehost.errors import InvalidParameter, Unsupported

_ALL_NAMES: Final = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
_DEFAULT_NAMES: Final = (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL "
    "AUDIT_WRITE"
)
ALL_CAPABILITIES: Final = tuple(f"CAP_{name}" for name in _ALL_NAMES.split())
"""In the kernel's order (linux/capability.h)."""
DEFAULT_CAPABILITIES: Final = tuple(f"CAP_{name}" for name in _DEFAULT_NAMES.split())

MASKED_PATHS: Final = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS: Final = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True, slots=True)
class SecurityOptions:
    """`seccomp` is a profile, an empty dict for the default one, None for none."""

    no_new_privileges: bool = False
    seccomp: dict[str, Any] | None = field(default_factory=dict)


def capabilities(add: Iterable[str] | None, drop: Iterable[str] | None, *, privileged: bool) -> tuple[str, ...]:
    """The capabilities that are left after `--cap-add` and `--cap-drop`, in the kernel's order.

    Raises:
        InvalidParameter: there is no such capability.
    """
    added = [_capability(name, "CapAdd") for name in add or ()]
    dropped = [_capability(name, "CapDrop") for name in drop or ()]
    if privileged:
        return ALL_CAPABILITIES
    held = set(ALL_CAPABILITIES if "ALL" in added else DEFAULT_CAPABILITIES)
    if "ALL" in dropped:
        held = set()
        added = list(ALL_CAPABILITIES) if "ALL" in added else added
    held |= {name for name in added if name != "ALL"}
    held -= {name for name in dropped if name != "ALL"}
    return tuple(name for name in ALL_CAPABILITIES if name in held)


def parse_security_options(options: Iterable[str] | None) -> SecurityOptions:
    """Read `--security-opt`; the CLI has put a seccomp profile's content in place of its path.

    Raises:
        InvalidParameter: an option is badly written or unknown.
        Unsupported: an option is for a security module that this host does not use.
    """
    seccomp: dict[str, Any] | None = {}
    no_new_privileges = False
    for option in options or ():
        name, separator, value = option.partition("=" if "=" in option else ":")
        if name == "no-new-privileges":
            no_new_privileges = _truth(value or "true", option)
        elif name == "writable-cgroups":
            if value not in ("", "true", "false"):
                raise InvalidParameter(f'invalid --security-opt 2: "{option}"')
            if value != "false":
                raise Unsupported("security option writable-cgroups: the cgroups of a zone are read-only inside")
        elif not separator and name != "disable":
            raise InvalidParameter(f'invalid --security-opt 1: "{option}"')
        elif name == "seccomp":
            seccomp = _profile(value)
        elif name == "apparmor":
            if value not in ("unconfined", ""):
                raise Unsupported(f"security option apparmor={value}: AppArmor is not in use on this host")
        elif name in ("label", "disable"):
            if value not in ("disable", ""):
                raise Unsupported(f"security option label={value}: SELinux is not in use on this host")
        else:
            raise InvalidParameter(f'invalid --security-opt 2: "{option}"')
    return SecurityOptions(no_new_privileges, seccomp)


def _capability(name: str, field: str) -> str:
    upper = name.upper()
    if upper in ("ALL", "CAP_ALL"):
        return "ALL"
    full = upper if upper.startswith("CAP_") else f"CAP_{upper}"
    if full not in ALL_CAPABILITIES:
        raise InvalidParameter(f'invalid {field}: unknown capability: "{name}"')
    return full


def _truth(value: str, option: str) -> bool:
    if value.lower() in ("true", "1", "t"):
        return True
    if value.lower() in ("false", "0", "f"):
        return False
    raise InvalidParameter(f'invalid --security-opt 2: "{option}"')


def _profile(value: str) -> dict[str, Any] | None:
    if value == "unconfined":
        return None
    if value in ("", "builtin"):
        return {}
    try:
        profile = msgspec.json.decode(value, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise InvalidParameter(f"Decoding seccomp profile failed: {error}") from error
    if "defaultAction" not in profile:
        raise InvalidParameter("Decoding seccomp profile failed: it has no defaultAction")
    return profile
