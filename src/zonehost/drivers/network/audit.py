"""The driver of the audit port for networks: links and tables of this instance, read and left as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from zonehost.domain.network import Network
from zonehost.drivers.network import firewall, plan, publishing
from zonehost.drivers.network.driver import Settings
from zonehost.drivers.network.listing import listed, listed_in_fresh_namespace
from zonehost.drivers.network.names import Names
from zonehost.drivers.network.wiring import Wiring
from zonehost.ports.audit import Finding, Trouble
from zonehost.ports.network import ZonePlugs


class KernelNetworkAudit:
    """`ports.audit.NetworkAudit`."""

    def __init__(self, instance: str, settings: Settings | None = None) -> None:
        self._names = Names(instance)
        self._settings = settings or Settings()

    async def examine(self, networks: Sequence[Network], zones: Sequence[ZonePlugs]) -> tuple[Finding, ...]:
        """Links and firewall, both ways."""
        links = await asyncio.to_thread(lambda: tuple(self._links(networks, zones)))
        return (*links, *await self._firewall(networks, zones))

    async def holdings(self, plugs: ZonePlugs) -> tuple[str, ...]:
        """The zone's links, and its elements of the firewall."""
        lines = [f"link {self._names.veth(plug.endpoint.id)} in {plug.network.name}" for plug in plugs.plugs]
        for (family, name), elements in publishing.elements(self._names, [plugs]).items():
            lines += [
                f"{family} {name} {' . '.join(key)}" + (f" : {' . '.join(to)}" if to else "") for key, to in elements
            ]
        return tuple(lines)

    def _links(self, networks: Sequence[Network], zones: Sequence[ZonePlugs]) -> Iterator[Finding]:
        there = {link.name: link for link in Wiring(self._names).ours()}
        bridges = {
            plan.bridge_name(self._names, network): network.name for network in networks if network.driver == "bridge"
        }
        veths = {
            self._names.veth(plug.endpoint.id): (zone.zone, plan.bridge_name(self._names, plug.network))
            for zone in zones
            for plug in zone.plugs
            if plug.network.driver == "bridge"
        }
        for name in sorted(bridges.keys() - there.keys()):
            detail = f"the bridge of network {bridges[name]}"
            yield Finding(trouble=Trouble.LOSS, kind="bridge", name=name, detail=detail)
        for name, (zone, bridge) in sorted(veths.items()):
            if name not in there:
                yield Finding(trouble=Trouble.LOSS, kind="link", name=name, zone=zone)
            elif bridge in there and there[name].master != there[bridge].index:
                detail = f"it is no port of the bridge {bridge}"
                yield Finding(trouble=Trouble.LOSS, kind="link", name=name, zone=zone, detail=detail)
        parents = {plan.parent_link(self._names, network).name for network in networks if network.driver == "macvlan"}
        for name in sorted(there.keys() - parents - bridges.keys() - veths.keys()):
            yield Finding(trouble=Trouble.ORPHAN, kind="link", name=name)

    async def _firewall(self, networks: Sequence[Network], zones: Sequence[ZonePlugs]) -> list[Finding]:
        """The kernel is asked twice: for our tables, and for what it makes of the ruleset that the state means."""
        walls = [plan.wall(self._names, network) for network in networks if network.driver == "bridge"]
        table = self._names.table
        wanted = firewall.ruleset(
            table,
            self._names.veth_prefix,
            firewall.merged(
                firewall.bridge_elements(walls, metadata=self._settings.metadata),
                publishing.elements(self._names, zones),
            ),
        )
        there = await asyncio.to_thread(listed, table)
        expected = await asyncio.to_thread(listed_in_fresh_namespace, table, wanted)
        findings = []
        for place in sorted(there.keys() | expected.keys()):
            have, want = there.get(place, set()), expected.get(place, set())
            for trouble, items in ((Trouble.LOSS, want - have), (Trouble.ORPHAN, have - want)):
                findings += [
                    Finding(trouble=trouble, kind="firewall", name=f"{table} {place}", detail=item)
                    for item in sorted(items)
                ]
        return findings
