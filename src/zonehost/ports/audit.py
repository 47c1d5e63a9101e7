"""Looking at what there is, without touching it: for `zonehost doctor` and `zonehost zone show`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec

from zonehost.domain.network import Network
from zonehost.ports.network import ZonePlugs


class Trouble(StrEnum):
    """What is wrong with a thing: it belongs to nothing, it is not there, or it is where it does not belong."""

    ORPHAN = "orphan"
    LOSS = "loss"
    STRAY = "stray"
    UNFINISHED = "unfinished"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between state and world; `kind` is cgroup, process, link, firewall, dataset, layer, record…"""

    trouble: Trouble
    kind: str
    name: str
    zone: str = ""
    detail: str = ""


class ZoneProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process of a zone; `started` is nanoseconds since the epoch."""

    pid: int
    started: int
    command: str


class ZoneHoldings(msgspec.Struct, frozen=True, kw_only=True):
    """What a zone has in the kernel beside its network. Namespaces are by kind, as in /proc/PID/ns."""

    processes: tuple[ZoneProcess, ...] = ()
    keeper: tuple[ZoneProcess, ...] = ()
    namespaces: dict[str, str] = {}
    mounts: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    cgroups: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """A zone that runs, as its record has it."""

    pid: int
    keeper: int
    shares_pids: bool
    """It has the host's pid namespace, or another zone's."""


class ZoneAudit(Protocol):
    """Looks at processes and cgroups."""

    async def examine(self, zones: Mapping[str, Expected], busy: frozenset[str]) -> tuple[Finding, ...]:
        """How the kernel differs from these running zones; `busy` ones are in change and passed over."""

    async def holdings(self, zone: str) -> ZoneHoldings:
        """All that the kernel holds of a zone, running or not."""


class NetworkAudit(Protocol):
    """Looks at links and firewall tables."""

    async def examine(self, networks: Sequence[Network], zones: Sequence[ZonePlugs]) -> tuple[Finding, ...]:
        """How the kernel differs from these networks and running zones."""

    async def holdings(self, plugs: ZonePlugs) -> tuple[str, ...]:
        """Links and firewall elements of a zone, a line each."""
