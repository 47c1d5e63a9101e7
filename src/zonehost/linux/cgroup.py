"""Which cgroup hierarchies this machine has, and where they are mounted.

Owns the reading of the mount table. Knows the pure v2 tree and the hybrid one, in which v1 hierarchies hold the
controllers and a v2 tree without controllers stands beside them. Refuses to know what the groups are used for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from zonehost.errors import Unavailable
from zonehost.linux import proc_file

CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")
"""The v2 controllers that bound a zone, by their names in cgroups(7)."""

_LEGACY = {"cpu": ("cpu", "cpuacct"), "cpuset": ("cpuset",), "io": ("blkio",), "memory": ("memory",), "pids": ("pids",)}

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Hierarchies:
    """The trees that hold a zone's groups.

    `unified` is the mount point of the v2 tree, `controllers` what can be used in it. `legacy` maps each v1 controller
    in use (`cpuacct` and `blkio` among them) to the mount point of its hierarchy; it is empty on a pure v2 machine.
    `further` are v1 hierarchies that bound nothing (freezer, name=systemd): a zone has a group there too, or it would
    see the host's.
    """

    unified: str
    controllers: frozenset[str]
    legacy: dict[str, str]
    further: tuple[str, ...] = ()

    @property
    def roots(self) -> tuple[str, ...]:
        """Every mount point, the v2 tree first, each once: v1 controllers may share a hierarchy."""
        return (self.unified, *dict.fromkeys(self.legacy.values()), *self.further)


def discover(mountinfo: str = "/proc/self/mountinfo") -> Hierarchies:
    """Read the mount table (proc_pid_mountinfo(5)) and say where each controller lives.

    Raises:
        Unavailable: no v2 tree is mounted; the message holds the cure.
    """
    unified: str | None = None
    mounted: dict[str, str] = {}
    for line in proc_file.lines(mountinfo):
        mount, _, filesystem = line.partition(" - ")
        kind, _, options = filesystem.split(" ", 2)
        if kind not in ("cgroup", "cgroup2"):
            continue
        fields = mount.split(" ")
        if fields[3] != "/":  # a bind mount of one group, such as a container's
            continue
        where = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4])
        if kind == "cgroup2":
            unified = unified or where
            continue
        for option in options.split(","):
            if option not in ("rw", "ro"):
                mounted.setdefault(option, where)
    if unified is None:
        raise Unavailable(
            "no cgroup v2 tree is mounted; mount one: "
            "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified"
        )
    offered = frozenset(Path(unified, "cgroup.controllers").read_text().split())
    legacy = {
        name: mounted[name]
        for controller in CONTROLLERS
        if controller not in offered
        for name in _LEGACY[controller]
        if name in mounted
    }
    further = dict.fromkeys(where for where in mounted.values() if where not in legacy.values())
    return Hierarchies(unified, offered & frozenset(CONTROLLERS), legacy, tuple(further))
