"""Audits that find what a test has put into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from zonehost.domain.network import Network
from zonehost.ports.audit import Expected, Finding, ZoneHoldings
from zonehost.ports.network import ZonePlugs


@dataclass
class QuietZoneAudit:
    """Remembers what it was asked about."""

    findings: tuple[Finding, ...] = ()
    asked: dict[str, Expected] = field(default_factory=dict)

    async def examine(self, zones: Mapping[str, Expected], busy: frozenset[str]) -> tuple[Finding, ...]:
        self.asked = dict(zones)
        return self.findings

    async def holdings(self, zone: str) -> ZoneHoldings:
        return ZoneHoldings(cgroups=(f"/cgroups/{zone}",))


@dataclass
class QuietNetworkAudit:
    """As above."""

    findings: tuple[Finding, ...] = ()

    async def examine(self, networks: Sequence[Network], zones: Sequence[ZonePlugs]) -> tuple[Finding, ...]:
        return self.findings

    async def holdings(self, plugs: ZonePlugs) -> tuple[str, ...]:
        return tuple(f"link of {plug.network.name}" for plug in plugs.plugs)
