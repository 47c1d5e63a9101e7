"""The driver of the machine port: uname, /proc, /sys and the files in /etc."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import threading
from pathlib import Path
from typing import Final

from zonehost.domain.etc_files import names_only_loopback
from zonehost.errors import SystemFailure
from zonehost.linux.cgroup import discover
from zonehost.linux.patience import patiently
from zonehost.ports.machine import MachineFacts, MachineState, PathKind

_UPSTREAM_RESOLVER: Final = "/run/systemd/resolve/resolv.conf"
"""Where systemd-resolved(8) names the real servers, when /etc/resolv.conf names only itself."""
_PATIENCE: Final = 10.0
"""Seconds in which a file system must say what a path is."""
_VERSION: Final = re.compile(r"\d+(?:\.\d+)+")


class LinuxMachine:
    """`ports.machine.Machine`."""

    def __init__(self) -> None:
        self._facts = _facts()

    @property
    def facts(self) -> MachineFacts:
        """What does not change while the daemon runs."""
        return self._facts

    def state(self) -> MachineState:
        """Descriptors and threads of this process, and whether the host forwards."""
        return MachineState(
            open_files=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 (there may be thousands)
            threads=threading.active_count(),
            ipv4_forwarding=self.forwards_ipv4(),
        )

    def forwards_ipv4(self) -> bool:
        """Whether the kernel does, in this network namespace."""
        return _text("/proc/sys/net/ipv4/ip_forward").strip() == "1"

    def resolver(self) -> str:
        """The host's resolv.conf."""
        text = _text("/etc/resolv.conf")
        upstream = _text(_UPSTREAM_RESOLVER)
        return upstream if upstream and names_only_loopback(text) else text

    def hosts(self) -> str:
        """The host's hosts file."""
        return _text("/etc/hosts")

    async def kind(self, path: str) -> PathKind:
        """What is there, links followed.

        Raises:
            Unavailable: the file system does not answer.
        """
        return await patiently(lambda: _kind(Path(path)), path, _PATIENCE)

    async def make_folder(self, path: str) -> None:
        """Make a folder, as Docker does for `-v` of a source that is not there.

        Raises:
            SystemFailure: it cannot be made. Unavailable: the file system does not answer.
        """

        def make() -> None:
            Path(path).mkdir(parents=True, exist_ok=True, mode=0o755)

        try:
            await patiently(make, path, _PATIENCE)
        except OSError as error:
            raise SystemFailure(f"error while creating mount source path '{path}': {error}") from error


def _kind(place: Path) -> PathKind:
    if place.is_dir():
        return PathKind.FOLDER
    return PathKind.FILE if place.exists() else PathKind.MISSING


def tool_version(*command: str) -> str:
    """The first version number that a tool prints, empty if the tool is not there."""
    try:
        printed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout
    except FileNotFoundError:
        return ""
    found = _VERSION.search(printed)
    return found[0] if found else ""


def _facts() -> MachineFacts:
    system = os.uname()
    release = platform.freedesktop_os_release()
    return MachineFacts(
        hostname=socket.gethostname(),
        kernel=system.release,
        os_name=release.get("PRETTY_NAME", "Linux"),
        os_version=release.get("VERSION_ID", ""),
        architecture=system.machine,
        cpus=os.cpu_count() or 1,
        cpu_numbers=_numbers("/sys/devices/system/cpu/online"),
        memory_nodes=_numbers("/sys/devices/system/node/online"),
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        cgroup_version=1 if discover().legacy else 2,
        security_modules=frozenset(_text("/sys/kernel/security/lsm").strip().split(",")) - {""},
        runtime_version=tool_version("crun", "--version"),
        keeper_version=tool_version("conmon", "--version"),
    )


def _numbers(path: str) -> frozenset[int]:
    """A kernel list such as `0-3,8`; a kernel without the file has only number 0."""
    numbers: set[int] = set()
    for part in filter(None, _text(path).strip().split(",")):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers or {0})


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except FileNotFoundError:
        return ""
