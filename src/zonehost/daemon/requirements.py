"""What zonehost cannot do without, looked for before anything else is done: each with its reason and its cure."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from zonehost.drivers.machine import tool_version
from zonehost.drivers.runtime.spec_mounts import INIT_PROGRAM
from zonehost.errors import Unavailable, ZonehostError
from zonehost.linux.cgroup import discover
from zonehost.linux.nftables import NftablesError, version

OLDEST_KERNEL: Final = (6, 12)
_TOOLS: Final = {
    "crun": ((1, 8), "it runs what is in a zone", "apt install crun"),
    "conmon": ((2, 1), "it keeps a zone's streams, log and exit code", "apt install conmon"),
}
_FILE_SYSTEMS: Final = {
    "overlay": "a zone's root is an overlay of its image's layers",
    "tmpfs": "zones have /dev and /dev/shm of their own",
    "mqueue": "zones have message queues of their own",
}
_NAMESPACES: Final = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")


def check_requirements() -> None:
    """Look at the kernel and the tools.

    Raises:
        Unavailable: all that is missing or too old, a line each, with what to do.
    """
    missing = list(_missing())
    if missing:
        raise Unavailable("this machine cannot run zones:\n" + "\n".join(f"  - {fault}" for fault in missing))


def _missing() -> Iterator[str]:
    if os.geteuid() != 0:
        yield "zonehost must run as root: it mounts, and makes namespaces and networks"
    yield from _kernel_faults()
    for tool, (oldest, reason, cure) in _TOOLS.items():
        found = tool_version(tool, "--version")
        wanted = ".".join(map(str, oldest))
        if not found:
            yield f"{tool} {wanted} or newer is missing ({reason}): {cure}"
        elif _numbers(found) < oldest:
            yield f"{tool} {found} is too old ({reason}): version {wanted} or newer is needed; {cure}"
    if shutil.which("ps") is None:
        yield "ps is missing (docker top): apt install procps"
    if not Path(INIT_PROGRAM).exists():
        yield f"{INIT_PROGRAM} is missing (docker run --init): apt install tini"
    try:
        version()
    except NftablesError as error:
        yield f"nftables cannot be used ({error}): apt install nftables"


def _kernel_faults() -> Iterator[str]:
    release = os.uname().release
    if _numbers(release)[:2] < OLDEST_KERNEL:
        wanted = ".".join(map(str, OLDEST_KERNEL))
        yield f"Linux {release} is too old: {wanted} or newer is needed (idmapped overlays); boot a newer kernel"
    for name, reason in _FILE_SYSTEMS.items():
        if not _knows(name):
            yield f"the kernel has no file system {name} ({reason}): modprobe {name}, or boot a kernel that has it"
    for name in _NAMESPACES:
        if not Path(f"/proc/self/ns/{name}").exists():
            yield f"the kernel has no {name} namespaces: boot a kernel that has them"
    try:
        discover()
    except ZonehostError as error:
        yield str(error)


def _knows(file_system: str) -> bool:
    """Whether the kernel has the file system, after its module is loaded if it is one (proc_filesystems(5))."""
    known = Path("/proc/filesystems")
    if file_system not in known.read_text().split():
        tool_version("modprobe", "--quiet", file_system)
    return file_system in known.read_text().split()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
