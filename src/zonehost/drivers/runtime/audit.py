"""The driver of the audit port for zones: cgroup folders, run folders and /proc, read and left as they are."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from zonehost.drivers.runtime import keepers
from zonehost.drivers.runtime.folder import RunRoot
from zonehost.linux import cgroup_tree, proc_file
from zonehost.linux.cgroup import Hierarchies
from zonehost.linux.cgroup_group import Group, Instance, Part
from zonehost.ports.audit import Expected, Finding, Trouble, ZoneHoldings, ZoneProcess
from zonehost.ports.supervisor import Supervisor

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_NAMESPACES: Final = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")

_NO_SUPERVISOR: Final = Finding(
    trouble=Trouble.LOSS, kind="supervisor", name="statfs", detail="df waits in containers that have a size"
)


class KernelZoneAudit:
    """`ports.audit.ZoneAudit`."""

    def __init__(
        self, hierarchies: Hierarchies, name: str, run_root: str, supervisor: Supervisor | None = None
    ) -> None:
        self._supervisor = supervisor
        self._hierarchies = hierarchies
        self._name = name
        self._root = RunRoot(run_root)

    async def examine(self, zones: Mapping[str, Expected], busy: frozenset[str]) -> tuple[Finding, ...]:
        """Groups and folders of nobody; keepers and processes that are gone; processes that came from outside.

        And the supervisor, where there should be one.
        """
        found = await asyncio.to_thread(lambda: tuple(self._examine(zones, busy)))
        return found if self._supervisor is None or self._supervisor.alive() else (*found, _NO_SUPERVISOR)

    async def holdings(self, zone: str) -> ZoneHoldings:
        """Everything of one zone."""
        return await asyncio.to_thread(self._holdings, zone)

    def _examine(self, zones: Mapping[str, Expected], busy: frozenset[str]) -> Iterator[Finding]:
        instance = Instance(self._hierarchies, self._name)
        for zone in sorted(instance.zones() - zones.keys() - busy):
            pids = [*(group := instance.group(zone)).pids(Part.ZONE), *group.pids(Part.KEEPER)]
            detail = f"with processes {', '.join(map(str, pids))}" if pids else "without processes"
            yield Finding(trouble=Trouble.ORPHAN, kind="cgroup", name=group.path, zone=zone, detail=detail)
        folders = self._root.ids() if Path(self._root.zones).is_dir() else set()
        for zone in sorted(folders - zones.keys() - busy):
            yield Finding(trouble=Trouble.ORPHAN, kind="folder", name=self._root.zone(zone).path, zone=zone)
        for zone, expected in zones.items():
            if zone not in busy:
                yield from self._zone_findings(zone, expected)

    def _zone_findings(self, zone: str, expected: Expected) -> Iterator[Finding]:
        group = self._group(zone)
        for kind, pid in (("keeper", expected.keeper), ("process", expected.pid)):
            if not _in_group(pid, group):
                yield Finding(
                    trouble=Trouble.LOSS,
                    kind=kind,
                    name=str(pid),
                    zone=zone,
                    detail="it has ended, or is no longer in the zone's cgroup",
                )
        if not expected.shares_pids:
            for pid in group.pids(Part.ZONE):
                if pid != expected.keeper and _of_host(
                    pid
                ):  # a keeper is on its way out of the group in which it was born
                    command = _process(pid)
                    yield Finding(
                        trouble=Trouble.STRAY,
                        kind="process",
                        name=str(pid),
                        zone=zone,
                        detail=f"a process of the host in the zone's cgroup: {command.command if command else '?'}",
                    )

    def _holdings(self, zone: str) -> ZoneHoldings:
        group, folder = self._group(zone), self._root.zone(zone)
        first, inside = folder.pid(), group.pids(Part.ZONE)
        keeper = keepers.found(self._root.zones, self._name).get(zone, 0)
        beside = [*group.pids(Part.KEEPER), *(pid for pid in inside if pid == keeper)]
        return ZoneHoldings(
            processes=tuple(filter(None, map(_process, (pid for pid in inside if pid != keeper)))),
            keeper=tuple(filter(None, map(_process, beside))),
            namespaces=_namespaces(first),
            mounts=_mounts(first),
            devices=_devices(first),
            cgroups=tuple(
                f"{root}/{group.path}" for root in self._hierarchies.roots if Path(f"{root}/{group.path}").is_dir()
            ),
            folders=tuple(path for path in (folder.path, folder.crun) if Path(path).is_dir()),
        )

    def _group(self, zone: str) -> Group:
        return Instance(self._hierarchies, self._name, self._root.zone(zone).cgroup_parent()).group(zone)


def _in_group(pid: int, group: Group) -> bool:
    with suppress(OSError):
        Path(f"/proc/{pid}/exe").readlink()  # fails for one that has ended, and only waits to be reaped
        return cgroup_tree.path_of(pid).startswith(f"/{group.path}/")
    return False


def _of_host(pid: int) -> bool:
    """Whether a process is of the host's pid namespace: then it has one number only (NSpid in proc_pid_status(5)).

    What the launcher itself runs there, a command that is just entering the zone, is passed over.
    """
    with suppress(OSError):
        for line in proc_file.lines(f"/proc/{pid}/status"):
            if line.startswith("NSpid:"):
                return len(line.split()) == 2 and not _entering(pid)
    return False


def _entering(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/exe").readlink().name.startswith(("crun", "python"))
    return True


def _process(pid: int) -> ZoneProcess | None:
    with suppress(OSError):
        ticks = int(proc_file.text(f"/proc/{pid}/stat").rpartition(")")[2].split()[19])
        boot = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        command = proc_file.text(f"/proc/{pid}/cmdline").rstrip("\0").replace("\0", " ")
        return ZoneProcess(
            pid=pid,
            started=boot + ticks * 1_000_000_000 // _TICKS,
            command=command or f"[{proc_file.text(f'/proc/{pid}/comm').strip()}]",
        )
    return None


def _namespaces(pid: int) -> dict[str, str]:
    with suppress(OSError):
        return {kind: str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in _NAMESPACES} if pid else {}
    return {}


def _mounts(pid: int) -> tuple[str, ...]:
    """Destination, file system and source of every mount that the zone sees."""
    with suppress(OSError):
        found = []
        for line in proc_file.lines(f"/proc/{pid}/mountinfo") if pid else ():
            fields, _, rest = line.partition(" - ")
            kind, source, *_ = rest.split(" ")
            found.append(f"{fields.split(' ')[4]} {kind} {source}")
        return tuple(found)
    return ()


def _devices(pid: int) -> tuple[str, ...]:
    with suppress(OSError):
        return tuple(
            sorted(
                f"/dev/{entry.name}"
                for entry in os.scandir(f"/proc/{pid}/root/dev")
                if pid and not entry.is_dir(follow_symlinks=False) and not entry.is_symlink()
            )
        )
    return ()
