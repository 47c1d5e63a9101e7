"""The host as a router: turned on when the first network needs it, never off, as Docker does. Blocking calls."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from zonehost.errors import SystemFailure
from zonehost.linux import sysctl

_ACCEPT_AS_ROUTER = 2


def enable(*, ipv6: bool) -> None:
    """Let the kernel forward packets; for IPv6 too, if so asked.

    Raises:
        SystemFailure: the settings cannot be written.
    """
    try:
        sysctl.write("net.ipv4.ip_forward", 1)
        if ipv6 and sysctl.read("net.ipv6.conf.all.forwarding") != "1":
            _keep_router_advertisements()
            sysctl.write("net.ipv6.conf.all.forwarding", 1)
    except OSError as error:
        raise SystemFailure(f"cannot turn on IP forwarding: {error.strerror}") from error


def _keep_router_advertisements() -> None:
    """A router ignores advertisements unless told otherwise (accept_ra 2): the host must not lose its own routes."""
    for folder in Path("/proc/sys/net/ipv6/conf").iterdir():
        setting = folder / "accept_ra"
        with suppress(FileNotFoundError):
            if folder.name not in ("all", "lo") and setting.read_text().strip() == "1":
                setting.write_text(str(_ACCEPT_AS_ROUTER))


def machine_id() -> str:
    """What tells this machine from others (machine-id(5)); empty if it has none."""
    with suppress(FileNotFoundError):
        return Path("/etc/machine-id").read_text().strip()
    return ""
